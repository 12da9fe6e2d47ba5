//! Ninja files and what they mean.

use std::fs;
use std::path::Path;

use crate::taskfile::format::Format;
use crate::taskfile::model::{Action, Task, TaskFile};

fn parsed(text: &str) -> TaskFile {
    crate::taskfile::parse(Path::new("build.ninja"), text.into(), Format::Ninja, &[])
        .unwrap_or_else(|wrong| panic!("{wrong}"))
}

#[track_caller]
fn shell(task: &Task) -> &str {
    match &task.action {
        Action::Shell(text) => text,
        other => panic!("{other:?}"),
    }
}

fn needs<'f>(file: &'f TaskFile, name: &str) -> Vec<&'f str> {
    let task = file.tasks.iter().find(|task| task.name == name).unwrap();
    let names = task
        .needs
        .iter()
        .map(|&need| file.tasks[need].name.as_str());
    names.collect()
}

#[test]
fn statements_become_tasks_with_commands_files_and_needs() {
    let file = parsed(
        r#"
ninja_required_version = 1.5
cflags = -O0
rule cc
  command = cc $cflags -c $in -o $out $
      && echo $$done
  description = CC $out
rule link
  command = ld -o $out $in_newline
pool heavy
  depth = 2
cflags = -O2

# a comment
build a.o: cc ./x/../a.c | a.h || gen
build my$ b.o: cc b$:.c
  # another comment
  cflags = -g
build app | app.map: link a.o my$ b.o
  pool = heavy
build gen: phony
build all: phony app
default all
"#,
    );
    let names: Vec<&str> = file.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["a.o", "my b.o", "app", "gen", "all"]);
    assert_eq!(shell(&file.tasks[0]), "cc -O2 -c a.c -o a.o && echo $done");
    assert_eq!(file.tasks[0].class, "cc");
    assert_eq!(file.tasks[0].description.as_deref(), Some("CC a.o"));
    assert_eq!(file.tasks[0].inputs, ["a.c", "a.h"]);
    assert_eq!(file.tasks[0].outputs, ["a.o"]);
    assert_eq!(
        shell(&file.tasks[1]),
        "cc -g -c 'b:.c' -o 'my b.o' && echo $done"
    );
    assert_eq!(shell(&file.tasks[2]), "ld -o app a.o\n'my b.o'");
    assert_eq!(file.tasks[2].also, ["app.map"]);
    assert_eq!(needs(&file, "a.o"), ["gen"]);
    assert_eq!(needs(&file, "app"), ["a.o", "my b.o"]);
    assert_eq!(file.tasks[4].action, Action::Nothing);
    assert_eq!(file.default, Some(vec![4]));
    assert_eq!(
        file.notes,
        ["pools do not limit anything here, only --jobs does: heavy (2)"]
    );
}

#[test]
fn names_cannot_leave_their_quotes() {
    let file = parsed("rule r\n  command = cat $in > $out\nbuild o$ '$ $$(id): r ;id `id` *\n");
    assert_eq!(
        shell(&file.tasks[0]),
        r"cat ';id' '`id`' '*' > 'o '\'' $(id)'"
    );
    assert_eq!(file.tasks[0].inputs, ["[*]", ";id", "`id`"]);
}

#[test]
fn scopes_and_rules_are_inherited_by_files_below() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "build.ninja",
        "v = outer\nrule r\n  command = echo $v $in\nsubninja sub.ninja\ninclude inc.ninja\nbuild last: r\n",
    );
    write("sub.ninja", "v = inner\nbuild sub: r\n");
    write("inc.ninja", "v = included\nbuild inc: r x\n");
    let file = crate::taskfile::read(&folder.path().join("build.ninja"), &[]).unwrap();
    let commands: Vec<&str> = file.tasks.iter().map(shell).collect();
    assert_eq!(
        commands,
        ["echo inner ", "echo included x", "echo included "]
    );
    assert_eq!(file.tasks[0].place.line, 2);
    assert!(file.tasks[0].place.file.ends_with("sub.ninja"));
}

#[test]
fn what_compilers_found_out_counts_among_the_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("build.ninja");
    let text = "rule cc\n  command = cc $in\n  depfile = $out.d\n  deps = gcc\nbuild a.o: cc a.c\nbuild b.o: cc b.c\n";
    fs::write(&path, text).unwrap();
    fs::write(folder.path().join("a.o.d"), "a.o: a.c \\\n a.h\n").unwrap();
    let file = crate::taskfile::read(&path, &[]).unwrap();
    assert_eq!(file.tasks[0].inputs, ["a.c", "a.h"]);
    // What b.o needs is not known, so nothing says that it need not be built.
    assert!(file.tasks[1].inputs.is_empty() && file.tasks[1].outputs.is_empty());
}

#[test]
fn phony_targets_stand_for_their_files() {
    let file = parsed(
        "rule r\n  command = r $in\nbuild group: phony x y\nbuild o: r z | group\nbuild self: phony self\n",
    );
    assert_eq!(file.tasks[1].inputs, ["x", "y", "z"]);
    assert_eq!(needs(&file, "o"), ["group"]);
    assert_eq!(needs(&file, "self"), [""; 0]);
}

#[test]
fn folders_and_response_files_are_made_before() {
    let file = parsed(
        "rule r\n  command = link @$rspfile\n  rspfile = $out.rsp\n  rspfile_content = $in_newline\nbuild absent/dir/o: r a b\n",
    );
    assert_eq!(
        shell(&file.tasks[0]),
        "{ [ -d 'absent/dir' ] || mkdir -p -- 'absent/dir'; } && { printf %s 'a\nb' > 'absent/dir/o.rsp' && { link @absent/dir/o.rsp\n} && rm -f -- 'absent/dir/o.rsp'\n}"
    );
}
