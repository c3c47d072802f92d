//! A server's logs on disk: they grow, are rotated, and are compressed.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::lines::{AUTH, HUB, LAYOUTS, Layout, PREFIXES, Request, carried, in_parts};
use super::packing::Packing;

/// How a log is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// `log-20250710`
    Dateext,
    /// `log-2025071008`
    Hourly,
    /// `log_2025-07-10`
    Dashes,
    /// `log.1`, then `log.2`, each compressed when it gets its number or at the next rotation.
    Numbers { delayed: bool },
    /// As the numbers, copied and truncated.
    CopyTruncate,
    /// Written under the name of its date from the first line on.
    Rotatelogs,
    /// Compressed while it is written, a member at a time.
    Members,
}

impl Habit {
    pub(super) const ALL: [Self; 8] = [
        Self::Dateext,
        Self::Hourly,
        Self::Dashes,
        Self::Numbers { delayed: true },
        Self::Numbers { delayed: false },
        Self::CopyTruncate,
        Self::Rotatelogs,
        Self::Members,
    ];
}

/// What happens to a log before an import.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) n_requests: u32,
    pub(super) end: End,
}

/// How the lines of a round end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// The last line, or half of it, is not there yet.
    Half,
    Rotated,
    /// Rotated, and the server died before the last line feed.
    RotatedWithoutFeed,
}

impl End {
    pub(super) const ALL: [Self; 4] = [Self::Whole, Self::Half, Self::Rotated, Self::RotatedWithoutFeed];
}

/// What is known of a log before it is written.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) layout: usize,
    pub(super) prefix: usize,
    pub(super) habit: Habit,
    pub(super) packing: Packing,
    pub(super) rounds: Vec<Round>,
}

/// A log and its files.
pub(super) struct Log<'a> {
    plan: &'a Plan,
    number: usize,
    folder: PathBuf,
    /// The rest of a line of which half is written.
    rest: String,
    n_requests: u32,
    n_rotations: u32,
    /// The same requests as lines of one plain file.
    pub(super) straight: String,
    pub(super) n_kept: usize,
}

fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    File::options().append(true).create(true).open(path).unwrap().write_all(bytes.as_ref()).unwrap();
}

impl<'a> Log<'a> {
    pub(super) fn new(plan: &'a Plan, number: usize, root: &Path) -> Self {
        let folder = root.join(format!("web{number}"));
        fs::create_dir_all(&folder).unwrap();
        let straight = LAYOUTS[plan.layout].header.to_owned();
        let (rest, n_requests, n_rotations, n_kept) = Default::default();
        Self { plan, number, folder, rest, n_requests, n_rotations, straight, n_kept }
    }

    pub(super) fn layout(&self) -> &'static Layout {
        &LAYOUTS[self.plan.layout]
    }

    pub(super) const fn has_requests(&self) -> bool {
        self.n_requests > 0
    }

    /// What stands before its lines.
    pub(super) fn prefix(&self) -> Option<&'static str> {
        self.layout().may_have_prefix().then(|| PREFIXES[self.plan.prefix])
    }

    /// How it was rotated, if it was.
    pub(super) fn habit(&self) -> Option<Habit> {
        let habit = self.plan.habit;
        (self.n_rotations > 0 || (habit == Habit::Members && self.has_requests())).then_some(habit)
    }

    /// How its old files were packed, if there are any.
    pub(super) fn packing(&self) -> Option<Packing> {
        let n_plain = u32::from(self.plan.habit == (Habit::Numbers { delayed: true }));
        (self.n_rotations > n_plain).then_some(self.plan.packing)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the log is called before it is rotated; logs of several servers have the same name.
    pub(super) fn name(&self) -> &'static str {
        match self.plan.layout {
            HUB => "hub-access.log",
            AUTH => "cmsauth.log",
            _ => "access.log",
        }
    }

    fn day(&self) -> u32 {
        10 + self.n_rotations
    }

    fn rotated(&self, n_ago: u32) -> String {
        let (name, day) = (self.name(), self.day());
        match self.plan.habit {
            Habit::Dateext => format!("{name}-202507{day}"),
            Habit::Hourly => format!("{name}-202507{day}08"),
            Habit::Dashes => format!("{name}_2025-07-{day}"),
            Habit::Rotatelogs => format!("{name}.{}", 1_752_105_600 + (day - 10) * 86_400),
            Habit::Numbers { .. } | Habit::CopyTruncate => format!("{name}.{n_ago}"),
            Habit::Members => format!("{name}.gz"),
        }
    }

    /// The file that is written to.
    fn live(&self) -> PathBuf {
        let name = match self.plan.habit {
            Habit::Rotatelogs | Habit::Members => self.rotated(0),
            _ => self.name().to_owned(),
        };
        self.folder.join(name)
    }

    fn is_rotated_ever(&self) -> bool {
        self.plan.habit != Habit::Members
    }

    /// What a round does to the log; nothing is left half written after the last one.
    pub(super) fn live_through(&mut self, at: usize) {
        let Some(&round) = self.plan.rounds.get(at) else { return };
        let mut text = std::mem::take(&mut self.rest);
        let live = self.live();
        if fs::metadata(&live).map_or(0, |meta| meta.len()) == 0 {
            text += self.layout().header;
        }
        for _ in 0..round.n_requests {
            text += &self.next_line();
        }
        let is_rotation = [End::Rotated, End::RotatedWithoutFeed].contains(&round.end) && self.is_rotated_ever();
        let has_new = round.n_requests > 0;
        let is_last = at + 1 == self.plan.rounds.len();
        let may_be_half = !is_last && self.is_rotated_ever();
        if round.end == End::Half && has_new && may_be_half {
            let last = text[..text.len() - 1].rfind('\n').map_or(0, |at| at + 1);
            let half = if self.n_requests.is_multiple_of(2) { (text.len() - last) / 2 } else { 0 };
            self.rest = text.split_off(last + half);
        }
        if self.plan.habit == Habit::Members {
            append(&live, fixtures::gzip(&text));
            return;
        }
        // hubs use no line that has no end
        let without_feed = is_rotation && round.end == End::RotatedWithoutFeed && has_new && self.plan.layout != HUB;
        if without_feed {
            text.pop();
        }
        append(&live, &text);
        if is_rotation {
            self.rotate(&live);
        }
    }

    fn next_line(&mut self) -> String {
        let request = Request { log: self.number, n: self.n_requests, day: self.day() };
        self.n_requests += 1;
        let layout = self.layout();
        let line = layout.line(request);
        self.n_kept += usize::from(layout.is_kept(request));
        self.straight += &line;
        self.straight.push('\n');
        let prefix = self.prefix().unwrap_or_default();
        match prefix {
            "cri" | "docker" if request.n % 3 == 1 => in_parts(prefix, &line).concat(),
            prefix => carried(prefix, &line) + "\n",
        }
    }

    fn rotate(&mut self, live: &Path) {
        let habit = self.plan.habit;
        if let Habit::Numbers { .. } | Habit::CopyTruncate = habit {
            self.shift();
        }
        let to = self.folder.join(self.rotated(1));
        match habit {
            Habit::Rotatelogs => {}
            Habit::CopyTruncate => {
                fs::copy(live, &to).unwrap();
                File::options().write(true).open(live).unwrap().set_len(0).unwrap();
            }
            _ => {
                fs::rename(live, &to).unwrap();
                File::create(live).unwrap().write_all(self.layout().header.as_bytes()).unwrap();
            }
        }
        if habit == (Habit::Numbers { delayed: true }) {
            leave_alone(&to);
        } else {
            self.pack(&to);
        }
        self.n_rotations += 1;
    }

    /// `log.1` becomes `log.2`, and so on.
    fn shift(&self) {
        for n in (1..=self.n_rotations).rev() {
            let (from, to) = (self.rotated(n), self.rotated(n + 1));
            let ending = self.plan.packing.ending();
            let packed = self.folder.join(format!("{from}{ending}"));
            let plain = self.folder.join(&from);
            if plain.exists() && n == 1 {
                let to = self.folder.join(&to);
                fs::rename(&plain, &to).unwrap();
                self.pack(&to);
            } else {
                fs::rename(packed, self.folder.join(format!("{to}{ending}"))).unwrap();
            }
        }
    }

    fn pack(&self, path: &Path) {
        let packing = self.plan.packing;
        if packing != Packing::None {
            let to = PathBuf::from(format!("{}{}", path.display(), packing.ending()));
            fs::write(&to, packing.pack(&fs::read(path).unwrap())).unwrap();
            fs::remove_file(path).unwrap();
        } else {
            leave_alone(path);
        }
    }
}

/// Nobody has written to the file for a while.
pub(super) fn leave_alone(path: &Path) {
    let then = SystemTime::now() - Duration::from_secs(120);
    File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
}
