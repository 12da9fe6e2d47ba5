//! Values that try to leave their quotes, in shell text of all shapes, before real shells.

use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::format::Format;
use super::model::Action;

/// If any of it were read by a shell, a file called `out` would come to be.
const VALUES: [&str; 8] = [
    "$(touch out)",
    "`touch out`",
    "'; touch out; '",
    "\"; touch out; \"",
    "\ntouch out\n",
    "\\'; touch out; #",
    "'$(touch out)'\"$(touch out)\"",
    "E\ntouch out\n",
];

/// Pieces of shell text, harmless in any order.
const PIECES: [&str; 44] = [
    "echo ",
    ":",
    " ",
    "\n",
    ";",
    "'",
    "\"",
    "\\",
    "`",
    "$(",
    ")",
    "(",
    "${x",
    "${x:-",
    "}",
    "$((",
    "))",
    "#",
    " #",
    "<<E\n",
    "<<'E'\n",
    "<<-E\n",
    "\nE\n",
    "<<",
    "<<<",
    "E",
    "case x in x) ",
    ";; esac",
    "$",
    "$'",
    "$\"",
    "&& ",
    "| cat",
    "a=",
    "{ ",
    "; }\n",
    "\\\n",
    "x",
    "if :; then ",
    "; fi",
    "\\'",
    "\\\"",
    "[",
    "!",
];

/// The command of a task with this text, if the reader takes it.
fn filled(text: &str, value: &str) -> Option<String> {
    let file = serde_json::json!({
        "vars": { "v": value.replace("{{", "{{{{") },
        "tasks": { "t": { "run": text } },
    });
    let read = super::parse(Path::new("t.yaml"), file.to_string(), Format::Yaml, &[]);
    match read.ok()?.tasks.remove(0).action {
        Action::Shell(text) => Some(text),
        _ => None,
    }
}

/// Whether running the text in this shell leaves traces of the value having been read as shell.
fn escapes(shell: &str, text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new(shell)
        .args(["-c", text])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok() && folder.path().join("out").exists()
}

#[track_caller]
fn harmless(text: &str) {
    for value in VALUES {
        let Some(filled) = filled(text, value) else {
            continue;
        };
        for shell in ["sh", "bash"] {
            assert!(
                !escapes(shell, &filled),
                "{shell}: {text:?} became\n{filled}"
            );
        }
    }
}

#[test]
fn where_values_are_let_in_they_stay_words() {
    let taken = [
        "echo {{ v }}",
        "echo a{{ v }}b --x={{ v }}",
        "echo \"it's\" {{ v }} 'it\"s' {{ v }}",
        "x={{ v }}; echo \"$x\" # it's\necho {{ v }}",
        "echo $(echo {{ v }}; (echo {{ v }})) {{ v }}",
        "case {{ v }} in {{ v }}) echo {{ v }};; esac",
        "cat <<E\nit's\nE\necho {{ v }}",
        "cat <<-'E' | cat; echo {{ v }}\n\t\"\n\tE\necho {{ v }}",
        "f() { echo {{ v }}; }; f {{ v }}",
        "echo ${x} $((1 + 2)) \"${x} $((1 + 2)) $(echo a)\" {{ v }}",
        "echo a\\\n{{ v }} > /dev/null < {{ v }}",
    ];
    for text in taken {
        assert!(filled(text, "x").is_some(), "{text:?} is refused");
        harmless(text);
    }
}

#[test]
fn where_values_could_leave_their_quotes_they_are_refused() {
    let refused = [
        "echo '{{ v }}'",
        "echo \"{{ v }}\"",
        "echo \"$(echo {{ v }})\"",
        "echo `echo {{ v }}`",
        "echo \\{{ v }}",
        "echo ${{ v }}",
        "echo # {{ v }}",
        "echo ${x:-{{ v }}}",
        "echo $((x + {{ v }}))",
        "cat <<E\n{{ v }}\nE",
        "cat << {{ v }}",
        "echo $'\\'' {{ v }}",
        "echo \"$(case x in x) echo \"{{ v }}\";; esac)\"",
        "echo \"$(case x in x) echo a;; esac)\" {{ v }}",
        "echo \"`echo \"`\" {{ v }}",
        "((x = 1)); echo {{ v }}",
        "echo @(#') {{ v }}",
    ];
    for text in refused {
        assert!(filled(text, "x").is_none(), "{text:?} is taken");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("HOSTILE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96)
    ))]

    #[test]
    fn no_shape_of_text_lets_a_value_out(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..14),
        places in prop::collection::vec(any::<prop::sample::Index>(), 1..3),
        value in prop::sample::select(VALUES.to_vec()),
    ) {
        let mut pieces = pieces;
        for place in places {
            pieces.insert(place.index(pieces.len() + 1), "{{ v }}");
        }
        let text = pieces.concat();
        if let Some(filled) = filled(&text, value) {
            for shell in ["sh", "bash"] {
                prop_assert!(!escapes(shell, &filled), "{shell}: {text:?} became\n{filled}");
            }
        }
    }
}
