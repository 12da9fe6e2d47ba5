//! Pure arithmetic on samples. A run that failed has left a `None`.

/// The middle of the samples, the mean of both middles where there are two.
pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    let sorted = sorted(samples);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The smallest sample that at least the share `q` of all samples do not exceed.
pub(crate) fn quantile(samples: &[f64], q: f64) -> Option<f64> {
    let sorted = sorted(samples);
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

pub(crate) fn min(samples: &[f64]) -> Option<f64> {
    samples.iter().copied().reduce(f64::min)
}

pub(crate) fn max(samples: &[f64]) -> Option<f64> {
    samples.iter().copied().reduce(f64::max)
}

pub(crate) fn geometric_mean(samples: &[f64]) -> Option<f64> {
    if samples.is_empty() || samples.iter().any(|sample| *sample <= 0.0) {
        return None;
    }
    let logarithms: f64 = samples.iter().map(|sample| sample.ln()).sum();
    Some((logarithms / samples.len() as f64).exp())
}

/// Run by run, `ours` over `base`; nothing where either run failed or `base` is zero.
pub(crate) fn pair_ratios(ours: &[Option<f64>], base: &[Option<f64>]) -> Vec<Option<f64>> {
    ours.iter()
        .zip(base)
        .map(|(ours, base)| match (ours, base) {
            (Some(ours), Some(base)) if *base != 0.0 => Some(ours / base),
            _ => None,
        })
        .collect()
}

/// The samples of the runs that ended.
pub(crate) fn present(samples: &[Option<f64>]) -> Vec<f64> {
    samples.iter().copied().flatten().collect()
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_even_and_none() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn quantiles_are_samples() {
        let samples: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&samples, 0.5), Some(50.0));
        assert_eq!(quantile(&samples, 0.99), Some(99.0));
        assert_eq!(quantile(&samples, 1.0), Some(100.0));
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn geometric_mean_of_halves_and_doubles_is_one() {
        let mean = geometric_mean(&[0.5, 2.0]).unwrap();
        assert!((mean - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean(&[]), None);
        assert_eq!(geometric_mean(&[1.0, 0.0]), None);
    }

    #[test]
    fn ratios_pair_runs_and_skip_the_failed() {
        let ours = [Some(1.0), None, Some(3.0), Some(4.0)];
        let base = [Some(2.0), Some(2.0), Some(0.0), Some(8.0)];
        let ratios = pair_ratios(&ours, &base);
        assert_eq!(ratios, [Some(0.5), None, None, Some(0.5)]);
        assert_eq!(present(&ratios), [0.5, 0.5]);
    }

    #[test]
    fn extremes() {
        assert_eq!(min(&[2.0, 1.0, 3.0]), Some(1.0));
        assert_eq!(max(&[2.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(min(&[]), None);
    }
}
