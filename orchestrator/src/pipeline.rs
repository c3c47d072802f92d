//! The daily work: what is due, who does it, and what is remembered of it.
//!
//! Decisions are pure functions ([`decide`]) over what is remembered ([`state`]) and what is true
//! in the database and the log folders ([`facts`]); [`work`] carries them out by starting stages.

mod decide;
mod facts;
mod health;
mod manual;
mod notes;
mod others;
mod run;
mod state;
mod status;
mod unpublish;
mod work;

pub(crate) use facts::{SUMMARIES, has_data, incomplete};
pub(crate) use health::{Lacks, folders, init, make_database, make_folders, missing_of_cms};
pub(crate) use manual::{analyze, process, rebuild_summaries, summarize};
pub(crate) use notes::{clear_dirty, mark_dirty, rebuild_from};
pub(crate) use others::{Others, nobody_at_work, program as other_program, staged as left_staged};
pub(crate) use run::{run, tick};
pub(crate) use state::{add_dirty_months, is_news_of_ipv6, pairs as remembered};
pub(crate) use status::status;
pub(crate) use unpublish::unpublish;
