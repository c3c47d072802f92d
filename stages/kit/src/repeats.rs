//! Troubles that repeat in the programs of one run, such as a service that does not answer at any step of
//! a catch-up.
//!
//! The program that starts the others keeps a sheet in memory, which they inherit. Each of them notes
//! there what it used and what was wrong with it. Only the first message about a trouble is printed; at the
//! end of the run one line says how often it occurred. A program that was started alone prints everything.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, memfd_create};

use crate::door::named;

/// The environment variable with the number of the descriptor.
pub const REPEATS: &str = "HZMETRICS_REPEATS";

/// The name of the file in memory: no other file is written to, whatever the variable says.
const NAME: &str = "hzmetrics-repeats";
/// More bytes than the sheet of any run has.
const LONGEST: u64 = 1 << 20;

/// The sheet of a run, inherited by the programs that are started as long as this is alive.
#[derive(Debug)]
pub struct Sheet(File);

/// How often a trouble occurred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// What was used.
    pub source: String,
    /// What was wrong with it.
    pub trouble: String,
    /// In how many steps.
    pub n: usize,
    /// How many steps used it.
    pub of: usize,
}

impl Sheet {
    /// An empty one; `None` where we were started with one, or the system has no files in memory.
    #[must_use]
    pub fn begin() -> Option<Self> {
        if inherited().is_some() {
            return None;
        }
        // inherited by every program that is started
        memfd_create(NAME, MemfdFlags::empty()).ok().map(|fd| Self(fd.into()))
    }

    /// The variable that tells the programs, and its value.
    #[must_use]
    pub fn variable(&self) -> (&'static str, String) {
        (REPEATS, self.0.as_raw_fd().to_string())
    }

    /// The troubles that occurred more than once, in the order in which they began.
    ///
    /// # Errors
    /// The sheet cannot be read.
    pub fn repeated(&mut self) -> io::Result<Vec<Repeated>> {
        Ok(sums(&text_of(&mut self.0)?))
    }
}

fn text_of(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The sheet that our parent keeps.
fn inherited() -> Option<PathBuf> {
    let number: u32 = std::env::var(REPEATS).ok()?.parse().ok()?;
    let path = PathBuf::from(format!("/proc/self/fd/{number}"));
    let is_ours = std::fs::read_link(&path).ok()?.as_os_str() == format!("/memfd:{NAME} (deleted)").as_str();
    is_ours.then_some(path)
}

/// Notes that something was used, and what was wrong with it. Returns whether that was noted before in this
/// run.
pub(crate) fn note(source: &str, trouble: Option<&str>) -> bool {
    inherited().is_some_and(|path| note_in(&path, source, trouble).unwrap_or(false))
}

fn note_in(sheet: &Path, source: &str, trouble: Option<&str>) -> io::Result<bool> {
    // opened again, so that the lock is ours
    let mut file = named::append(sheet)?;
    file.lock()?;
    if file.metadata()?.len() >= LONGEST {
        return Ok(false);
    }
    let line = format!("{}\t{}", one_field(source), one_field(trouble.unwrap_or_default()));
    let mut reader = named::open(sheet)?;
    let is_known = trouble.is_some() && text_of(&mut reader)?.lines().any(|known| known == line);
    file.write_all(format!("{line}\n").as_bytes())?;
    Ok(is_known)
}

/// Nothing that separates fields or lines.
fn one_field(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

fn sums(text: &str) -> Vec<Repeated> {
    let mut sums: Vec<Repeated> = Vec::new();
    let lines = || text.lines().filter_map(|line| line.split_once('\t'));
    for (source, trouble) in lines().filter(|(_, trouble)| !trouble.is_empty()) {
        match sums.iter_mut().find(|sum| sum.source == source && sum.trouble == trouble) {
            Some(sum) => sum.n += 1,
            None => {
                let of = lines().filter(|(other, _)| *other == source).count();
                sums.push(Repeated { source: source.to_owned(), trouble: trouble.to_owned(), n: 1, of });
            }
        }
    }
    sums.retain(|sum| sum.n > 1);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_trouble_is_news_and_all_are_counted() {
        let mut sheet = Sheet::begin().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", sheet.0.as_raw_fd()));
        let note =
            |source: &str, trouble: &str| note_in(&path, source, (!trouble.is_empty()).then_some(trouble)).unwrap();
        let known = [
            note("geo service", ""),
            note("geo service", "no answer"),
            note("name server", "no answer"),
            note("geo service", "no answer"),
            note("geo service", "the key is\nnot accepted"),
            note("geo service", "no answer"),
        ];
        assert_eq!(known, [false, false, false, true, false, true]);
        let expected = Repeated { source: "geo service".to_owned(), trouble: "no answer".to_owned(), n: 3, of: 5 };
        assert_eq!(sheet.repeated().unwrap(), [expected]);
    }

    #[test]
    fn programs_at_the_same_time_print_one_message() {
        let sheet = Sheet::begin().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", sheet.0.as_raw_fd()));
        let n_first = std::thread::scope(|scope| {
            let one = || scope.spawn(|| note_in(&path, "a", Some("b")).unwrap());
            let all: Vec<_> = (0..8).map(|_| one()).collect();
            all.into_iter().map(|one| one.join().unwrap()).filter(|known| !known).count()
        });
        assert_eq!(n_first, 1);
    }

    #[test]
    fn a_full_sheet_hides_nothing() {
        let mut sheet = Sheet::begin().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", sheet.0.as_raw_fd()));
        assert!(!note_in(&path, "a", Some("b")).unwrap());
        sheet.0.seek(io::SeekFrom::End(0)).unwrap();
        sheet.0.write_all(&vec![b'\n'; usize::try_from(LONGEST).unwrap()]).unwrap();
        assert!(!note_in(&path, "a", Some("b")).unwrap());
    }
}
