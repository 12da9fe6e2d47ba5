//! The groups, one module each, with the letters of the project's benchmark plan.

mod graphs;
mod inversion;
pub(crate) mod io;
mod live;
mod locks;
mod mixed;
mod overhead;
mod overload;
mod runner;
mod stuck;
mod stutter;
mod workflows;

use crate::plan::Group;

/// All groups in the order of their letters.
pub(crate) fn all() -> Vec<Group> {
    vec![
        overhead::group(),
        io::group(),
        stuck::group(),
        inversion::group(),
        stutter::group(),
        mixed::group(),
        overload::group(),
        graphs::group(),
        workflows::group(),
        live::group(),
        runner::group(),
        locks::group(),
    ]
}

/// The groups with these letters, or all where none is named.
pub(crate) fn chosen(letters: &[char]) -> Vec<Group> {
    let mut groups = all();
    groups.retain(|group| letters.is_empty() || letters.contains(&group.letter));
    groups
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rows_are_named_once_and_their_bars_name_their_engines() {
        for group in all() {
            let mut names = HashSet::new();
            for row in (group.rows)() {
                assert!(names.insert(row.name.clone()), "{} twice", row.name);
                assert!(row.engines.contains(&row.baseline), "{}", row.name);
                for bar in &row.bars {
                    assert!(row.engines.contains(&bar.engine), "{}", row.name);
                }
            }
        }
    }

    #[test]
    fn letters_choose_groups() {
        let letters = |chosen: &[char]| -> String {
            super::chosen(chosen)
                .iter()
                .map(|group| group.letter)
                .collect()
        };
        assert_eq!(letters(&[]), "ABCDEFGHIJKM");
        assert_eq!(letters(&['D', 'A']), "AD");
    }
}
