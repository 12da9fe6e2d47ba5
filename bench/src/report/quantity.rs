//! Figures as people read them: three digits and a unit that fits.

use crate::plan::Unit;

pub(crate) fn quantity(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds => scaled(value, &[("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)]),
        Unit::PerSecond => scaled(value, &[("/s", 1.0), ("k/s", 1e3), ("M/s", 1e6)]),
        Unit::Count => trimmed(value),
        Unit::Ratio => format!("{value:.3}"),
    }
}

/// In the largest of the units that leaves at least one before the point.
fn scaled(value: f64, units: &[(&str, f64)]) -> String {
    let fitting = units.iter().rev().find(|(_, size)| value.abs() >= *size);
    let (name, size) = fitting.unwrap_or(&units[0]);
    format!("{} {name}", trimmed(value / size))
}

fn trimmed(value: f64) -> String {
    if value == 0.0 {
        "0".to_owned()
    } else if value.abs() < 10.0 {
        format!("{value:.2}")
    } else if value.abs() < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_grow_with_the_value() {
        for (value, unit, text) in [
            (0.0, Unit::Nanoseconds, "0 ns"),
            (812.4, Unit::Nanoseconds, "812 ns"),
            (16_400.0, Unit::Nanoseconds, "16.4 us"),
            (4.2e9, Unit::Nanoseconds, "4.20 s"),
            (120_300.0, Unit::PerSecond, "120 k/s"),
            (3.0, Unit::Count, "3.00"),
            (0.4567, Unit::Ratio, "0.457"),
        ] {
            assert_eq!(quantity(value, unit), text);
        }
    }
}
