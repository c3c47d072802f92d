//! `hzmetrics rehearse` of one month out of several that were imported together.

use schema::tables::Engine;

use super::rehearse::{Hub, MONTHS, found};

#[test]
fn one_of_two_months_that_were_imported_together_is_the_same() {
    for seed in 1..=u64::from(fixtures::asked("HZMETRICS_CAMPAIGN", 5).div_ceil(5)) {
        let Some(hub) = Hub::of_seed(Engine::InnoDb, 2, seed, 30) else { return };
        hub.make_months();
        for month in MONTHS.split(' ') {
            let done = hub.rehearse(month);
            assert_eq!((found(&done), done.code), (vec![], 0), "seed {seed}: {}{}", done.text(), done.stderr);
            // logins of April made users of some visitors of March
            let has_later = done.stderr.contains("of later logs, which were imported together with these, count too");
            assert_eq!(has_later, month == "2025-03", "{}", done.stderr);
        }
    }
}
