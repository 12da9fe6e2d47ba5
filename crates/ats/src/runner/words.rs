//! Pure: shell text that any shell would only cut into words. Such a command is started without
//! one, which halves what starting it costs; GNU make does the same.
//!
//! Text qualifies if it is one line of plain characters, none of which means anything to a shell,
//! and if its first word is the name of a program: no assignment, no reserved word, nothing built
//! into any usual shell. Whatever is in doubt goes to the shell.

/// Reserved words and all that is built into dash, bash, ksh, zsh or busybox; sorted.
const BUILT_IN: &[&str] = &[
    ".",
    ":",
    "alias",
    "autoload",
    "bg",
    "bind",
    "bindkey",
    "break",
    "builtin",
    "bye",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disable",
    "disown",
    "do",
    "done",
    "echo",
    "echotc",
    "elif",
    "else",
    "emulate",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "float",
    "for",
    "foreach",
    "function",
    "functions",
    "getconf",
    "getln",
    "getopts",
    "hash",
    "help",
    "hist",
    "history",
    "if",
    "in",
    "integer",
    "jobs",
    "kill",
    "let",
    "limit",
    "local",
    "log",
    "login",
    "logout",
    "mapfile",
    "nameref",
    "namespace",
    "newgrp",
    "nocorrect",
    "noglob",
    "popd",
    "print",
    "printf",
    "pushd",
    "pushln",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "rehash",
    "repeat",
    "return",
    "sched",
    "select",
    "set",
    "setopt",
    "shift",
    "shopt",
    "sleep",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "ttyctl",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unfunction",
    "unhash",
    "unlimit",
    "unset",
    "unsetopt",
    "until",
    "vared",
    "wait",
    "whence",
    "where",
    "which",
    "while",
    "zcompile",
    "zmodload",
    "zstyle",
];

/// The words of such a command; `None` if a shell has to see it.
#[must_use]
pub fn plain_words(text: &str) -> Option<Vec<&str>> {
    let text = text.trim_matches([' ', '\t', '\n']);
    if !text.bytes().all(is_plain) {
        return None;
    }
    let words: Vec<&str> = text
        .split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .collect();
    let first = words.first()?;
    let is_assignment = first.contains('=');
    let is_job = first.starts_with('%');
    let is_built_in = BUILT_IN.binary_search(first).is_ok();
    (!is_assignment && !is_job && !is_built_in).then_some(words)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" \t_-./,:+@%=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(BUILT_IN.is_sorted());
    }

    #[test]
    fn programs_with_plain_arguments_need_no_shell() {
        for (text, words) in [
            ("/bin/true", &["/bin/true"][..]),
            (
                "  cargo \t build --jobs=2\n",
                &["cargo", "build", "--jobs=2"],
            ),
            (
                "./a.out x,y 50% user@host:/a+b",
                &["./a.out", "x,y", "50%", "user@host:/a+b"],
            ),
            ("/bin/echo a", &["/bin/echo", "a"]),
        ] {
            assert_eq!(plain_words(text).as_deref(), Some(words), "{text}");
        }
    }

    #[test]
    fn whatever_a_shell_might_read_in_its_own_way_goes_to_it() {
        for text in [
            "",
            "  ",
            "a b; c",
            "a\nb",
            "a \\",
            "a 'b'",
            "a \"b\"",
            "a $b",
            "a `b`",
            "a > b",
            "a < b",
            "a | b",
            "a &",
            "a *",
            "a ?",
            "a [b]",
            "a {b,c}",
            "(a)",
            "a # b",
            "! a",
            "a ~",
            "~/a",
            "A=1 b",
            "A=1",
            "%1",
            "cd /",
            "echo -e a",
            "true",
            "exit 3",
            "if",
            "a ^ b",
            "a\rb",
            "ä",
            "a ä",
            ". ./a",
        ] {
            assert_eq!(plain_words(text), None, "{text}");
        }
    }
}
