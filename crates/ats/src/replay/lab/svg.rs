//! Pure: the drawing as SVG. Names are data and are escaped; colours are those of Okabe and Ito,
//! which everybody can tell apart, and policies differ in the shape of their marks, too.

use std::fmt::Write;

use super::drawing::{Bar, Comparison, Drawing, Timeline};
use super::policy::Policy;
use crate::text;

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 24.0;
/// Where the names of files end and the numbers begin.
const NAMES: f64 = 330.0;
const ROW: f64 = 18.0;
/// Above rows of numbers or bars: the title, the legend, the axis.
const HEAD: f64 = 62.0;
const TALLEST_WORKER: f64 = 16.0;
const TALLEST_TIMELINE: f64 = 320.0;

const INK: &str = "#222222";
const GREY: &str = "#bbbbbb";
const URGENT: &str = "#d00000";
const CLASSES: [&str; 7] = [
    "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#0072b2", "#cc79a7", "#999999",
];

/// Draws everything, one part below the other.
#[must_use]
pub fn draw(drawing: &Drawing) -> String {
    let mut body = String::new();
    let mut top = MARGIN;
    for comparison in &drawing.comparisons {
        top += draw_comparison(&mut body, top, comparison);
    }
    for timeline in &drawing.timelines {
        top += draw_timeline(&mut body, top, timeline);
    }
    if !drawing.timelines.is_empty() {
        label(
            &mut body,
            (MARGIN, top),
            "start",
            "Colours are classes; red is urgent; outlined is the longest chain.",
        );
        top += ROW;
    }
    let height = top + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// Returns the height that it took, as all that draw do.
fn draw_comparison(body: &mut String, top: f64, comparison: &Comparison) -> f64 {
    title(
        body,
        top,
        &format!("{}: makespan over the lower bound", comparison.title),
    );
    legend(body, top + 26.0, &comparison.policies);
    let most = comparison
        .rows
        .iter()
        .flat_map(|(_, numbers)| numbers.iter().flatten())
        .fold(1.05_f64, |most, &number| most.max(number));
    let axis = Axis::new(1.0, most);
    let rows = top + HEAD;
    let height = ROW * comparison.rows.len() as f64;
    for tick in axis.ticks() {
        let x = axis.at(tick);
        line(body, (x, rows - 4.0), (x, rows + height), GREY);
        label(body, (x, rows - 8.0), "middle", &axis.named(tick));
    }
    for (at, (name, numbers)) in comparison.rows.iter().enumerate() {
        let middle = rows + ROW * (at as f64 + 0.5);
        label(body, (NAMES - 12.0, middle + 4.0), "end", name);
        line(body, (NAMES, middle), (WIDTH - MARGIN, middle), "#eeeeee");
        // What stands first is drawn last, so that it is not hidden by what is better.
        for (policy, number) in comparison.policies.iter().zip(numbers).rev() {
            if let Some(number) = number {
                mark(body, (axis.at(*number), middle), *policy);
            }
        }
    }
    HEAD + height + MARGIN
}

fn legend(body: &mut String, y: f64, policies: &[Policy]) {
    let mut x = MARGIN;
    for policy in policies {
        mark(body, (x + 6.0, y - 4.0), *policy);
        label(body, (x + 16.0, y), "start", policy.name());
        x += 36.0 + 6.5 * policy.name().len() as f64;
    }
}

/// The scale from left to right.
struct Axis {
    from: f64,
    to: f64,
    step: f64,
}

impl Axis {
    fn new(from: f64, to: f64) -> Self {
        let rough = (to - from).max(1e-9) / 8.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0];
        let step = steps.into_iter().find(|step| step * power >= rough);
        Axis {
            from,
            to,
            step: step.unwrap_or(10.0) * power,
        }
    }

    fn at(&self, number: f64) -> f64 {
        let share = (number - self.from) / (self.to - self.from).max(1e-9);
        NAMES + share * (WIDTH - MARGIN - NAMES)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (from, to, step) = (self.from, self.to, self.step);
        let ticks = (0..20).map(move |tick| from + step * f64::from(tick));
        ticks.take_while(move |tick| *tick <= to + 1e-9)
    }

    fn named(&self, tick: f64) -> String {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 6.0) as usize;
        format!("{tick:.decimals$}")
    }
}

fn mark(body: &mut String, (x, y): (f64, f64), policy: Policy) {
    let (colour, path) = match policy {
        Policy::FirstCome => ("#000000", "M-5,-5L5,5M-5,5L5,-5"),
        Policy::Depth => ("#999999", "M-5,4L5,4L0,-5Z"),
        Policy::LongestFirst => ("#e69f00", "M-4,-4L4,-4L4,4L-4,4Z"),
        Policy::ClassMeans => ("#56b4e9", "M-5,-4L5,-4L0,5Z"),
        Policy::Learned => ("#d55e00", "M0,-6L6,0L0,6L-6,0Z"),
        Policy::Perfect => ("#009e73", "M-5,0L5,0M0,-5L0,5"),
    };
    let fill = if path.ends_with('Z') { colour } else { "none" };
    let _ = writeln!(
        body,
        "<path transform=\"translate({x:.1} {y:.1})\" d=\"{path}\" fill=\"{fill}\" \
         fill-opacity=\"0.85\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
    );
}

fn draw_timeline(body: &mut String, top: f64, timeline: &Timeline) -> f64 {
    let makespan = duration(timeline.makespan);
    let left_out = match timeline.left_out {
        0 => String::new(),
        some => format!(" (without the last {})", text::count(some, "task")),
    };
    title(
        body,
        top,
        &format!("{}: {makespan}{left_out}", timeline.title),
    );
    let workers = timeline.workers.max(1) as f64;
    let row = (TALLEST_TIMELINE / workers).min(TALLEST_WORKER);
    let rows = top + 10.0;
    let height = row * workers;
    let wide = (WIDTH - 2.0 * MARGIN) / timeline.scale.max(1e-9);
    let end = MARGIN + wide * timeline.makespan;
    line(body, (end, rows), (end, rows + height), INK);
    for bar in &timeline.bars {
        draw_bar(body, rows, row, wide, bar);
    }
    10.0 + height + 30.0
}

fn draw_bar(body: &mut String, top: f64, row: f64, wide: f64, bar: &Bar) {
    let x = MARGIN + wide * bar.start;
    let width = (wide * (bar.end - bar.start)).max(0.3);
    let y = top + row * bar.worker as f64;
    let gap = if row > 4.0 { 1.0 } else { 0.0 };
    let fill = bar
        .class
        .map_or(URGENT, |class| CLASSES[class % CLASSES.len()]);
    let stroke = match bar.is_critical {
        true => format!(
            " stroke=\"{INK}\" stroke-width=\"{:.1}\"",
            (row / 8.0).min(1.5)
        ),
        false => String::new(),
    };
    let _ = writeln!(
        body,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{fill}\"\
         {stroke}><title>{}: {} to {}</title></rect>",
        row - gap,
        escaped(&bar.name),
        duration(bar.start),
        duration(bar.end),
    );
}

fn title(body: &mut String, y: f64, title: &str) {
    let title = escaped(title);
    let _ = writeln!(
        body,
        "<text x=\"{MARGIN}\" y=\"{y:.1}\" font-size=\"15\" font-weight=\"bold\" fill=\"{INK}\">{title}</text>"
    );
}

fn label(body: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        body,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{INK}\">{words}</text>"
    );
}

fn line(body: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
    let _ = writeln!(
        body,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"
    );
}

fn duration(seconds: f64) -> String {
    let duration = std::time::Duration::try_from_secs_f64(seconds);
    text::duration(duration.unwrap_or(std::time::Duration::MAX))
}

/// Text as XML has it. Characters that XML cannot hold are not in it: they were made printable
/// where the text was read.
fn escaped(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not characters, as XML sees it.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_data() {
        let wrong = "</title><script>alert('1' & \"2\")</script>";
        let right =
            "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;";
        assert_eq!(escaped(wrong), right);
    }

    #[test]
    fn ticks_are_round_and_within() {
        let ticks = |to| -> Vec<String> {
            let axis = Axis::new(1.0, to);
            axis.ticks().map(|tick| axis.named(tick)).collect()
        };
        assert_eq!(ticks(1.5), ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"]);
        assert_eq!(
            ticks(1.05),
            ["1.00", "1.01", "1.02", "1.03", "1.04", "1.05"]
        );
    }
}
