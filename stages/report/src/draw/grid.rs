//! The ground of a chart over months: the scale from zero, its lines, the labels of months.

use maud::{Markup, html};
use schema::Month;

use super::svg::n;
use crate::amount::Unit;
use crate::document::{Label, Table};
use crate::words::Words;

/// Where the drawing is, in units of the picture.
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// The height of a part of the scale.
    pub(super) fn tall(&self, value: f64, scale: &Scale) -> f64 {
        if scale.top > 0.0 { self.height * value / scale.top } else { 0.0 }
    }

    /// The width of each of `n` rows.
    pub(super) fn band(&self, n: usize) -> f64 {
        self.width / n.max(1) as f64
    }
}

/// From zero to a round number.
pub(super) struct Scale {
    pub(super) top: f64,
    step: f64,
    unit: Unit,
}

impl Scale {
    /// The scale for numbers up to `most`, in the unit that is shown.
    pub(super) fn new(most: f64, unit: Unit) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let power = 10_f64.powf((most / 4.0).log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
        let fits = |step: &&f64| *step * 4.0 >= most && (unit != Unit::Count || step.fract() == 0.0);
        let step =
            steps.iter().find(fits).copied().unwrap_or(10.0 * power).max(if unit == Unit::Count { 1.0 } else { 0.0 });
        Self { top: step * (most / step - 1e-9).ceil().max(1.0), step, unit }
    }

    /// Of shares.
    pub(super) const fn percent() -> Self {
        Self { top: 100.0, step: 25.0, unit: Unit::Share }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let n = (self.top / self.step).round() as u32;
        let step = self.step;
        (0..=n).map(move |i| f64::from(i) * step)
    }

    /// A number at the scale, as short as it can be.
    fn text(&self, value: f64) -> String {
        let short = |value: f64| {
            let decimals = if (value - value.round()).abs() < 1e-9 {
                0
            } else if ((value * 10.0) - (value * 10.0).round()).abs() < 1e-9 {
                1
            } else {
                2
            };
            format!("{value:.decimals$}")
        };
        let text = match value {
            _ if value >= 1e6 => format!("{}M", short(value / 1e6)),
            _ if value >= 1e4 => format!("{}k", short(value / 1e3)),
            _ if value >= 1e3 => format!("{},{:03.0}", (value / 1e3).floor(), value % 1e3),
            _ => short(value),
        };
        match self.unit {
            Unit::Share => format!("{text} %"),
            Unit::Hours if value > 0.0 => format!("{text} h"),
            _ => text,
        }
    }
}

/// The lines of the scale and its numbers.
pub(super) fn scale(area: &Area, scale: &Scale) -> Markup {
    html! {
        @for value in scale.ticks() {
            @let y = n(area.bottom() - area.tall(value, scale));
            line class=(if value == 0.0 { "zero" } else { "grid" }) x1=(n(area.left)) x2=(n(area.left + area.width)) y1=(y) y2=(y) {}
            text class="tick end" x=(n(area.left - 6.0)) y=(y) dy="0.32em" { (scale.text(value)) }
        }
    }
}

/// A hatched band behind each month that is not complete.
pub(super) fn incomplete(area: &Area, table: &Table) -> Markup {
    let band = area.band(table.rows.len());
    html! {
        @for (i, _) in table.rows.iter().enumerate().filter(|(_, row)| row.is_incomplete()) {
            rect class="gap" x=(n(area.left + band * i as f64)) y=(n(area.top)) width=(n(band)) height=(n(area.height)) {}
        }
    }
}

/// The names of months below the chart: each where there is room, else the years.
pub(super) fn months(area: &Area, table: &Table, words: &Words) -> Markup {
    let months: Vec<Month> = table
        .rows
        .iter()
        .filter_map(|row| if let Label::Month(month) = row.label { Some(month) } else { None })
        .collect();
    if months.is_empty() {
        return texts(area, table);
    }
    let band = area.band(months.len());
    let middle = |i: usize| n(area.left + band * (i as f64 + 0.5));
    let y = area.bottom() + 14.0;
    let is_january = |month: &Month| month.month() == 1;
    let first_january = months.iter().position(is_january).unwrap_or(usize::MAX);
    if band >= 15.0 {
        // every second one where three letters would touch the next three, with January among them
        let step = if band >= 29.0 { 1 } else { 2 };
        let begin = if first_january < months.len() { first_january % step } else { 0 };
        let named = || months.iter().enumerate().skip(begin).step_by(step);
        let has_year = |i: usize, month: &Month| is_january(month) || i == begin && first_january >= i + 2;
        return html! {
            @for (i, month) in named() {
                text class="tick mid" x=(middle(i)) y=(n(y)) { (words.shortest(*month)) }
                @if has_year(i, month) {
                    text class="tick mid" x=(middle(i)) y=(n(y + 12.0)) { (month.year()) }
                }
            }
        };
    }
    // a year every so often, where there are many
    let every = (34.0 / (band * 12.0)).ceil().max(1.0) as u16;
    html! {
        @if let Some(first) = months.first().filter(|_| first_january as f64 * band >= 52.0) {
            text class="tick" x=(n(area.left)) y=(n(y)) { (words.short(*first)) }
        }
        @for (i, month) in months.iter().enumerate().filter(|(_, month)| is_january(month)) {
            @let x = n(area.left + band * i as f64);
            line class="zero" x1=(x) x2=(x) y1=(n(area.bottom())) y2=(n(area.bottom() + 4.0)) {}
            @if month.year() % every == 0 && (i as f64 + 0.5) * band + 28.0 <= area.width + 12.0 {
                text class="tick" x=(x) y=(n(y)) { (month.year()) }
            }
        }
    }
}

/// The names of rows that are not months, as many as there is room for. Of a date, the day.
fn texts(area: &Area, table: &Table) -> Markup {
    const ROOM: f64 = 24.0;
    let band = area.band(table.rows.len());
    let every = (ROOM / band).ceil().max(1.0) as usize;
    html! {
        @for (i, row) in table.rows.iter().enumerate().step_by(every) {
            @if let Label::Text(text) = &row.label {
                text class="tick mid" x=(n(area.left + band * (i as f64 + 0.5))) y=(n(area.bottom() + 14.0)) {
                    (text.rsplit('-').next().unwrap_or(text))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_begin_at_zero_and_end_at_a_round_number() {
        for (most, unit, ticks) in [
            (0.0, Unit::Count, vec!["0", "1"]),
            (3.0, Unit::Count, vec!["0", "1", "2", "3"]),
            (7.0, Unit::Count, vec!["0", "2", "4", "6", "8"]),
            (1140.0, Unit::Count, vec!["0", "500", "1,000", "1,500"]),
            (177_981.0, Unit::Count, vec!["0", "50k", "100k", "150k", "200k"]),
            (0.9, Unit::Hours, vec!["0", "0.25 h", "0.5 h", "0.75 h", "1 h"]),
            (3_200_000.0, Unit::Count, vec!["0", "1M", "2M", "3M", "4M"]),
        ] {
            let scale = Scale::new(most, unit);
            assert!(scale.top >= most, "{most}");
            let texts: Vec<_> = scale.ticks().map(|tick| scale.text(tick)).collect();
            assert_eq!(texts, ticks, "{most}");
        }
    }
}
