//! The drawing in the terminal: bars of how far each policy is above the lower bound, and, of a
//! single workflow, how busy each worker was when. With block characters where the locale has them,
//! and in plain ASCII elsewhere.

use std::fmt::{self, Formatter};

use anstyle::{AnsiColor, Style};

use super::drawing::{Comparison, Drawing, Timeline};
use crate::{terminal, text};

const BOLD: Style = Style::new().bold();
const RED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));

/// More rows than this show nobody anything; workers share rows then.
const MOST_ROWS: usize = 16;

/// Without a terminal to ask, and in terminals that are wider.
const WIDEST: usize = 100;

/// The width of the terminal, within limits.
#[must_use]
pub fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    terminal.map_or(WIDEST, |(width, _)| usize::from(width.0).clamp(40, WIDEST))
}

/// The drawing, so wide.
#[derive(Debug)]
pub struct Chart<'a> {
    drawing: &'a Drawing,
    width: usize,
    marks: &'static Marks,
}

/// What is drawn with.
#[derive(Debug)]
struct Marks {
    /// Of a bar's last cell, from none to whole.
    bar: &'static [char],
    /// How busy a cell is, from idle to wholly.
    busy: &'static [char],
    urgent: char,
}

const BLOCKS: Marks = Marks {
    bar: &[' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'],
    busy: &['·', '░', '▒', '▓', '█'],
    urgent: '◆',
};

const ASCII: Marks = Marks {
    bar: &[' ', '#'],
    busy: &['.', '-', '+', '#'],
    urgent: '!',
};

impl<'a> Chart<'a> {
    /// Of a drawing. `ascii` is for who wants no other characters, whatever the locale has.
    #[must_use]
    pub fn new(drawing: &'a Drawing, width: usize, ascii: bool) -> Self {
        let has_blocks = !ascii && terminal::shows_unicode();
        Chart {
            drawing,
            width,
            marks: if has_blocks { &BLOCKS } else { &ASCII },
        }
    }
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for comparison in &self.drawing.comparisons {
            self.bars(f, comparison)?;
        }
        for timeline in &self.drawing.timelines {
            self.timeline(f, timeline)?;
        }
        if !self.drawing.timelines.is_empty() {
            let [idle, .., busy] = self.marks.busy else {
                return Ok(());
            };
            let urgent = self.marks.urgent;
            writeln!(f, "\n{idle} idle, {busy} busy, {RED}{urgent}{RED:#} urgent")?;
        }
        Ok(())
    }
}

impl Chart<'_> {
    fn bars(&self, f: &mut Formatter<'_>, comparison: &Comparison) -> fmt::Result {
        let Some((name, numbers)) = comparison.rows.last() else {
            return Ok(());
        };
        let most = numbers
            .iter()
            .flatten()
            .fold(1.0_f64, |most, &one| most.max(one));
        let cells = self.width.saturating_sub(15 + 8);
        writeln!(
            f,
            "\n{BOLD}{}, {name}{BOLD:#}: above the lower bound, bars to {:.1} %",
            comparison.title,
            (most - 1.0) * 100.0
        )?;
        for (policy, number) in comparison.policies.iter().zip(numbers) {
            let above = number.unwrap_or(1.0) - 1.0;
            let bar = self.bar(above / (most - 1.0).max(1e-9), cells);
            let line = format!("{:<14} {:>5.1} % {bar}", policy.name(), above * 100.0);
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn bar(&self, share: f64, cells: usize) -> String {
        let steps = self.marks.bar.len() - 1;
        let filled = (share * (cells * steps) as f64).round() as usize;
        let whole = self.marks.bar[steps];
        let mut bar: String = std::iter::repeat_n(whole, filled / steps).collect();
        if !filled.is_multiple_of(steps) {
            bar.push(self.marks.bar[filled % steps]);
        }
        bar
    }

    fn timeline(&self, f: &mut Formatter<'_>, timeline: &Timeline) -> fmt::Result {
        let makespan = std::time::Duration::try_from_secs_f64(timeline.makespan);
        let makespan = text::duration(makespan.unwrap_or_default());
        writeln!(f, "\n{BOLD}{}{BOLD:#}: {makespan}", timeline.title)?;
        let rows = timeline.workers.clamp(1, MOST_ROWS);
        let columns = self.width.saturating_sub(8);
        let cells = cells(timeline, rows, columns);
        for (row, cells) in cells.chunks(columns).enumerate() {
            let workers = workers_of(row, rows, timeline.workers);
            write!(f, "{workers:>7} ")?;
            for cell in cells {
                match cell.urgent {
                    true => write!(f, "{RED}{}{RED:#}", self.marks.urgent)?,
                    false => write!(f, "{}", self.shade(cell.busy))?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }

    /// Idle and wholly busy are exact, what is between is rounded.
    fn shade(&self, busy: f64) -> char {
        let most = self.marks.busy.len() - 1;
        let shade = match busy {
            busy if busy < 1e-6 => 0,
            busy if busy > 0.999 => most,
            busy => (1.0 + busy * (most - 1) as f64) as usize,
        };
        self.marks.busy[shade.min(most)]
    }
}

/// Which workers share a row: the first, or the first and the last.
fn workers_of(row: usize, rows: usize, workers: usize) -> String {
    let first = row * workers / rows + 1;
    let last = (row + 1) * workers / rows;
    if first >= last {
        format!("{first}")
    } else {
        format!("{first}-{last}")
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    busy: f64,
    urgent: bool,
}

/// Of each row and column how busy its workers were.
fn cells(timeline: &Timeline, rows: usize, columns: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); rows * columns];
    if timeline.scale <= 0.0 || columns == 0 {
        return cells;
    }
    let per_column = timeline.scale / columns as f64;
    let workers = timeline.workers.max(1);
    for bar in &timeline.bars {
        let row = (bar.worker * rows + rows - 1) / workers;
        let row = row.min(rows - 1);
        let in_row = ((row + 1) * workers / rows - row * workers / rows).max(1);
        let first = (bar.start / per_column) as usize;
        let last = ((bar.end / per_column).ceil() as usize).min(columns);
        for column in first..last {
            let from = bar.start.max(column as f64 * per_column);
            let to = bar.end.min((column + 1) as f64 * per_column);
            let cell = &mut cells[row * columns + column];
            cell.busy += (to - from).max(0.0) / per_column / in_row as f64;
            cell.urgent |= bar.class.is_none();
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Bar;
    use super::*;

    fn bar(worker: usize, start: f64, end: f64, class: Option<usize>) -> Bar {
        Bar {
            worker,
            start,
            end,
            name: "a".into(),
            class,
            is_critical: false,
        }
    }

    fn drawn(drawing: &Drawing, marks: &'static Marks) -> String {
        let chart = Chart {
            drawing,
            width: 28,
            marks,
        };
        anstream::adapter::strip_str(&chart.to_string()).to_string()
    }

    fn drawing(workers: usize, bars: Vec<Bar>) -> Drawing {
        Drawing {
            comparisons: vec![],
            timelines: vec![Timeline {
                title: "it".into(),
                workers,
                makespan: 10.0,
                scale: 10.0,
                bars,
                left_out: 0,
            }],
        }
    }

    #[test]
    fn a_worker_is_a_row_that_shows_how_busy_it_was() {
        let bars = vec![
            bar(0, 0.0, 7.5, Some(0)),
            bar(1, 5.0, 6.0, None),
            bar(1, 6.0, 6.25, Some(0)),
        ];
        let drawing = drawing(2, bars);
        assert_eq!(
            drawn(&drawing, &BLOCKS),
            "\nit: 10.0 s\n      1 ███████████████·····\n      2 ··········◆◆▒·······\n\n· idle, █ busy, ◆ urgent\n"
        );
        assert_eq!(
            drawn(&drawing, &ASCII),
            "\nit: 10.0 s\n      1 ###############.....\n      2 ..........!!+.......\n\n. idle, # busy, ! urgent\n"
        );
    }

    #[test]
    fn many_workers_share_rows_and_each_is_in_one() {
        let bars = (0..50).map(|worker| bar(worker, 0.0, 10.0, Some(0)));
        let drawn = drawn(&drawing(50, bars.collect()), &ASCII);
        let rows: Vec<&str> = drawn.lines().skip(2).take(MOST_ROWS).collect();
        assert!(
            rows.iter().all(|row| row.ends_with(&"#".repeat(20))),
            "{drawn}"
        );
        assert!(rows[0].starts_with("    1-3 "), "{drawn}");
        assert!(rows[15].starts_with("  47-50 "), "{drawn}");
    }
}
