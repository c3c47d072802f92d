//! The course of some numbers, without a scale: beside a number that is written out.

use maud::{Markup, html};

use super::svg::{n, view_box};
use crate::amount::Amount;

const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 24.0;

/// Small columns from zero, the last of them marked. Decoration: the numbers are in a table.
pub(crate) fn spark(trend: &[Amount]) -> Markup {
    let most = trend.iter().filter_map(|amount| amount.value()).fold(0.0, f64::max);
    let band = WIDTH / trend.len().max(1) as f64;
    let tall =
        |amount: &Amount| amount.value().filter(|_| most > 0.0).map_or(0.0, |value| HEIGHT * value.max(0.0) / most);
    html! {
        svg class="spark" viewBox=(view_box(WIDTH, HEIGHT)) preserveAspectRatio="none" aria-hidden="true" {
            @for (i, amount) in trend.iter().enumerate() {
                @let height = tall(amount);
                @if height > 0.0 {
                    rect class=(if i + 1 == trend.len() { "now" } else { "then" }) x=(n(band * i as f64)) y=(n(HEIGHT - height))
                        width=(n(band * 0.76)) height=(n(height)) {}
                }
            }
        }
    }
}
