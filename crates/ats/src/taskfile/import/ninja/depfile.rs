//! Dependency files as compilers write them: `out: in in \`. Pure.

/// The files that are needed according to a dependency file; `None` if it is none.
pub(super) fn needed(text: &str) -> Option<Vec<String>> {
    let mut needed = Vec::new();
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let words = words(line);
        let colon = words.iter().position(|word| word.ends_with(':'))?;
        for word in words.into_iter().skip(colon + 1) {
            if word.ends_with(':') {
                // Two rules in a line are nothing that a compiler writes.
                return None;
            }
            needed.push(word);
        }
    }
    Some(needed)
}

/// The words of a line, without their escapes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, characters.peek()) {
            ('\\', Some(' ' | '#' | '\\' | '[' | ']')) | ('$', Some('$')) => {
                word.extend(characters.next());
            }
            (' ' | '\t', _) if word.is_empty() => {}
            (' ' | '\t', _) => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compilers_write_is_understood() {
        let text = "out/a.o: a.c include/my\\ file.h \\\n  b$$.h\n\nb.h:\n";
        assert_eq!(
            needed(text),
            Some(vec![
                "a.c".into(),
                "include/my file.h".into(),
                "b$.h".into()
            ])
        );
        assert_eq!(needed(""), Some(vec![]));
        assert_eq!(needed("nothing of the kind"), None);
    }
}
