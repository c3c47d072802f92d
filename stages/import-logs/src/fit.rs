//! Fits a compiled LogFormat to a line: where each field begins and ends.
//!
//! Each field is taken as short as the text after it allows, longer only when the rest does not
//! fit. Looking back is rare and bounded, which keeps the work linear in the line: see
//! [`Shape::Any`]. What the fields mean is for [`crate::format`].

use kit::steps;

#[cfg(test)]
mod tests;

/// The length of `[dd/Mon/yyyy:HH:MM:SS]`.
const BRACKETED: usize = 22;

/// What the text of a field looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Any text of at least so many bytes. Where such a field was reached and can be made no
    /// longer, the line does not fit: whatever fields before it are made longer, this one would
    /// begin later and have a part of the same ends.
    Any(usize),
    /// The time in Apache's own form, brackets around it; the test is for its beginning. As above
    /// once that fits.
    Bracketed(fn(&[u8]) -> bool),
    /// Exactly so many bytes that pass a test.
    Exactly(usize, fn(&[u8]) -> bool),
    /// At least one of these bytes, or a single dash.
    Run(fn(u8) -> bool),
}

/// A field, and the text that ends it.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) shape: Shape,
    /// Empty for a field at the end of the line.
    pub(crate) after: Vec<u8>,
    /// Between quotes: a backslash takes the next byte literally.
    pub(crate) quoted: bool,
}

/// A field's place in a line, and what is known of the run of bytes that it lies in.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    start: usize,
    end: usize,
    /// Of a [`Shape::Run`]: where a run that was looked at begins and ends.
    run: (usize, usize),
    /// The same run, when nothing behind it fits.
    dead: bool,
}

/// The first quote at or after `from` that no backslash takes literally.
pub(crate) fn closing_quote(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let step = memchr::memchr2(b'"', b'\\', text.get(at..)?);
        steps::add(step.unwrap_or(text.len() - at) + 1);
        at += step?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

impl Slot {
    /// The first place at or after `from` where the text behind the field stands.
    fn next_end(&self, line: &[u8], from: usize) -> Option<usize> {
        let Some(&first) = self.after.first() else { return (from <= line.len()).then_some(line.len()) };
        let mut at = from;
        loop {
            at = if self.quoted {
                closing_quote(line, at)?
            } else {
                let step = memchr::memchr(first, line.get(at..)?);
                steps::add(step.unwrap_or(line.len() - at) + 1);
                at + step?
            };
            if self.ends_at(line, at) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// Whether the text behind the field stands here.
    fn ends_at(&self, line: &[u8], at: usize) -> bool {
        match &*self.after {
            [] => at == line.len(),
            [only] => line.get(at) == Some(only),
            after => line.get(at..).is_some_and(|rest| rest.starts_with(after)),
        }
    }

    /// The next end of the field that begins at `place.start`, not before `from`.
    fn end(&self, line: &[u8], place: &mut Place, from: usize) -> Option<usize> {
        let start = place.start;
        match self.shape {
            Shape::Any(min) => self.first_end(line, from, |end| end >= start + min),
            Shape::Bracketed(is_begun) if !line.get(start..).is_some_and(is_begun) => None,
            Shape::Bracketed(_) => self.first_end(line, from, |end| end >= start + BRACKETED && line[end - 1] == b']'),
            Shape::Exactly(len, is) => {
                let end = start + len;
                (from <= end && line.get(start..end).is_some_and(is) && self.ends_at(line, end)).then_some(end)
            }
            Shape::Run(is) => self.end_in_run(line, place, from, is),
        }
    }

    fn first_end(&self, line: &[u8], mut from: usize, fits: impl Fn(usize) -> bool) -> Option<usize> {
        loop {
            let end = self.next_end(line, from)?;
            if fits(end) {
                return Some(end);
            }
            from = end + 1;
        }
    }

    fn end_in_run(&self, line: &[u8], place: &mut Place, from: usize, is: fn(u8) -> bool) -> Option<usize> {
        let start = place.start;
        if !is(*line.get(start)?) {
            let dash = line[start] == b'-' && from <= start + 1 && self.ends_at(line, start + 1);
            return dash.then_some(start + 1);
        }
        let (run_start, run_end) = place.run;
        if start < run_start || start >= run_end {
            let len = line[start..].iter().take_while(|&&b| is(b)).count();
            steps::add(len);
            place.run = (start, start + len);
            place.dead = false;
        }
        if place.dead {
            return None;
        }
        let run_end = place.run.1;
        let inside = self.after.first().is_some_and(|&b| is(b));
        let mut end = if inside { from.max(start + 1) } else { run_end };
        while end >= from && end <= run_end {
            steps::add(1);
            if self.ends_at(line, end) {
                return Some(end);
            }
            end += 1;
        }
        place.dead = true;
        None
    }

    /// Whether the line does not fit when the field, beginning at `start`, has no further end.
    fn decides(&self, line: &[u8], start: usize) -> bool {
        match self.shape {
            Shape::Any(_) => true,
            Shape::Bracketed(is_begun) => line.get(start..).is_some_and(is_begun),
            Shape::Exactly(..) | Shape::Run(_) => false,
        }
    }
}

/// Start and end of each field of a line that begins with `before`.
pub(crate) fn fit(before: &[u8], slots: &[Slot], line: &[u8]) -> Option<Vec<(usize, usize)>> {
    if !line.starts_with(before) {
        return None;
    }
    let mut places = vec![Place::default(); slots.len()];
    let mut at = before.len();
    let mut i = 0;
    loop {
        steps::add(1);
        let mut from = at;
        if let Some(place) = places.get_mut(i) {
            place.start = at;
        } else if at == line.len() {
            return Some(places.iter().map(|place| (place.start, place.end)).collect());
        } else {
            i = i.checked_sub(1)?;
            from = places[i].end + 1;
        }
        // the next end of this field, or of the last one before it that has another
        loop {
            let (slot, place) = (&slots[i], &mut places[i]);
            if let Some(end) = slot.end(line, place, from) {
                place.end = end;
                at = end + slot.after.len();
                break;
            }
            if slot.decides(line, place.start) {
                return None;
            }
            i = i.checked_sub(1)?;
            from = places[i].end + 1;
        }
        i += 1;
    }
}
