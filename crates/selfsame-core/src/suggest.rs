//! "Did you mean": the nearest of a few known words.

/// The candidate that `word` was probably meant to be, if one is near: at most a third of the letters differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(64).collect();
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= candidate.chars().count().max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_slips_and_leaves_strangers() {
        let known = ["name", "version", "license", "source", "output"];
        assert_eq!(nearest("licence", known), Some("license"));
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("ouputs", known), Some("output"));
        assert_eq!(nearest("banana", known), None);
    }
}
