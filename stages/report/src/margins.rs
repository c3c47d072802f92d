//! What the page of all hubs may not show, because a number that the page of a hub hides could be computed from it:
//! all hubs together, less the hubs that show theirs.

use crate::amount::{Amount, LEAST};
use crate::document::{Document, Figure, Label, Row};
use crate::usage::{RESIDENCE_ID, WORK_ID};
use crate::words::Words;

/// Hides such numbers on the page of all.
pub(crate) fn protect(all: &mut Document, hubs: &[&Document], words: &Words) {
    for figure in all.sections.iter_mut().flat_map(|section| &mut section.figures) {
        let same: Vec<&Figure> = hubs
            .iter()
            .filter_map(|hub| hub.sections.iter().flat_map(|section| &section.figures).find(|of| of.id == figure.id))
            .collect();
        let is_changed = if [RESIDENCE_ID, WORK_ID].contains(&figure.id) {
            shares(figure, &same)
        } else if figure.id == "map" {
            rows(figure, &same)
        } else {
            false
        };
        if is_changed {
            figure.summary = words.sum_hubs_hidden.to_owned();
        }
    }
}

/// Columns 1 to 5 are parts of the first, 6 to 10 their shares.
const N_PARTS: usize = 5;

/// Rows are months with the parts of a sum.
fn shares(figure: &mut Figure, hubs: &[&Figure]) -> bool {
    let mut is_changed = false;
    for row in &mut figure.table.rows {
        let of_hubs: Vec<&Row> = hubs.iter().filter_map(|hub| find(hub, &row.label)).collect();
        let gives_away = |part: usize| {
            let hidden: Vec<Amount> = of_hubs.iter().map(|of| of.cell(part)).collect();
            tells(row.cell(part), &hidden)
        };
        let unsafe_parts: Vec<usize> = (1..=N_PARTS).filter(|part| gives_away(*part)).collect();
        if unsafe_parts.is_empty() {
            continue;
        }
        is_changed = true;
        let parts = row.cells.get_mut(1..=N_PARTS).unwrap_or_default();
        for part in unsafe_parts {
            hide(parts, part - 1);
        }
        let has_company = with_company(parts);
        let hidden: Vec<bool> = parts.iter().map(|part| part.is_hidden()).collect();
        for (share, _) in row.cells.iter_mut().skip(N_PARTS + 1).zip(&hidden).filter(|(_, is_hidden)| **is_hidden) {
            *share = Amount::Withheld;
        }
        if !has_company && let Some(sum) = row.cells.first_mut() {
            *sum = Amount::Withheld;
        }
    }
    is_changed
}

/// Rows are places; further columns are about the first.
fn rows(figure: &mut Figure, hubs: &[&Figure]) -> bool {
    let of_hubs = |label: &Label| -> Vec<Amount> {
        hubs.iter().filter_map(|hub| find(hub, label)).map(|row| row.cell(0)).collect()
    };
    let mut cells: Vec<Amount> = figure.table.rows.iter().map(|row| row.cell(0)).collect();
    let mut is_changed = false;
    for (i, row) in figure.table.rows.iter().enumerate() {
        if tells(row.cell(0), &of_hubs(&row.label)) {
            hide(&mut cells, i);
            is_changed = true;
        }
    }
    if is_changed {
        let _ = with_company(&mut cells);
        for (row, cell) in figure.table.rows.iter_mut().zip(cells).filter(|(_, cell)| cell.is_hidden()) {
            let first = row.cell(0);
            row.cells.iter_mut().for_each(|other| *other = if first.is_hidden() { *other } else { cell });
        }
        // the order must not say what the numbers do not
        let (mut shown, mut hidden): (Vec<Row>, Vec<Row>) =
            std::mem::take(&mut figure.table.rows).into_iter().partition(|row| !row.cell(0).is_hidden());
        hidden.sort_by_key(|row| format!("{:?}", row.label));
        shown.append(&mut hidden);
        figure.table.rows = shown;
    }
    is_changed
}

fn find<'f>(figure: &&'f Figure, label: &Label) -> Option<&'f Row> {
    figure.table.rows.iter().find(|row| row.label == *label)
}

fn hide(cells: &mut [Amount], i: usize) {
    if let Some(cell) = cells.get_mut(i) {
        *cell = Amount::Withheld;
    }
}

/// One number alone that is hidden follows from the sum: the next smallest is hidden too. Returns whether there are
/// two at least.
fn with_company(cells: &mut [Amount]) -> bool {
    if cells.iter().filter(|cell| cell.is_hidden()).count() == 1 {
        // hiding a zero beside it would hide nothing
        let shown = cells.iter_mut().filter(|cell| cell.value().is_some_and(|value| value > 0.0));
        let next = shown.min_by(|a, b| a.value().unwrap_or(0.0).total_cmp(&b.value().unwrap_or(0.0)));
        if let Some(next) = next {
            *next = Amount::Withheld;
        }
    }
    cells.iter().filter(|cell| cell.is_hidden()).count() > 1
}

/// Whether the number of all, less those that hubs show, tells what one of them hides. It is at least so much, since
/// a visitor of two hubs counts once; here as if nobody were one.
fn tells(all: Amount, hubs: &[Amount]) -> bool {
    let Some(all) = all.value() else { return false };
    let few = hubs.iter().filter(|of| **of == Amount::Few).count() as f64;
    let withheld = hubs.iter().filter(|of| **of == Amount::Withheld).count() as f64;
    if few + withheld == 0.0 {
        return false;
    }
    let rest = (all - hubs.iter().filter_map(|of| of.value()).sum::<f64>()).max(0.0);
    let (least, most) = (f64::from(LEAST), f64::from(LEAST) - 1.0);
    if few + withheld < 2.0 {
        return true;
    }
    if withheld > 0.0 { rest - least * withheld < 1.0 } else { rest < 1.0 || rest > most * few - 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hubs_hide_cannot_be_subtracted() {
        use Amount::{Few, Known, Withheld};
        for (all, hubs, expected) in [
            (Known(100.0), &[Known(60.0), Known(40.0)][..], false),
            (Known(100.0), &[Known(97.0), Few], true),
            (Known(100.0), &[Known(95.0), Few, Few], false),
            // both are 4, both are 0
            (Known(103.0), &[Known(95.0), Few, Few], true),
            (Known(95.0), &[Known(95.0), Few, Few], true),
            // visitors of both hubs: fewer than the hub that shows its own
            (Known(90.0), &[Known(95.0), Few, Few], true),
            (Known(100.0), &[Known(80.0), Withheld], true),
            (Known(100.0), &[Known(80.0), Withheld, Few], false),
            // the one that is withheld is 5 at least
            (Known(85.0), &[Known(80.0), Withheld, Few], true),
            (Few, &[Few], false),
            (Known(7.0), &[], false),
        ] {
            assert_eq!(tells(all, hubs), expected, "{all:?} {hubs:?}");
        }
    }

    #[test]
    fn a_hidden_number_has_company() {
        use Amount::{Known, Withheld};
        let mut cells = [Known(50.0), Known(9.0), Withheld, Known(20.0)];
        assert!(with_company(&mut cells));
        assert_eq!(cells, [Known(50.0), Withheld, Withheld, Known(20.0)]);
        assert!(!with_company(&mut [Withheld, Known(0.0)]));
    }
}
