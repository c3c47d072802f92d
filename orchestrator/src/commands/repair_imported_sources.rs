//! `hzmetrics repair-imported-sources`: computes invalid ranges of the ledger again.

use anyhow::Result;
use database::ledger::{self, Correction, Stopped, Target};
use database::pruned::Pruned;
use schema::Exit;

use super::HubCommand;
use crate::hub::Hub;

/// How many corrections are listed.
const SHOWN: usize = 30;

const NAME: &str = "[repair-imported-sources]";

/// Correct row ranges in the ledger of imports
///
/// Compares the number of rows in each range of ids with the number of imported rows, from the newest
/// import to the oldest. A range with the right number of rows is correct, however many ids it has.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write the corrections; without this only print them
    #[arg(long)]
    apply: bool,
}

impl HubCommand for Args {
    fn run(&self, hub: &Hub) -> Result<u8> {
        let _lock = hub.lock(self.apply)?;
        let mut db = hub.db_with_ledger()?;
        let pruned = Pruned::read(&mut db)?;
        let is_whole = |target: &Target| pruned.of_table(target.name()).is_none();
        let targets: Vec<Target> = [Target::Web, Target::Userlogin].into_iter().filter(is_whole).collect();
        if targets.len() < 2 {
            hub.log.error(format_args!(
                "{NAME} rows of old months were removed by `hzmetrics prune`: ranges of these tables cannot be told from \
                 the rows any more, and stay as they are"
            ));
            if targets.is_empty() {
                return Ok(Exit::Failed.code());
            }
        }
        let plan = |db: &mut _, say: bool| -> Result<Vec<Correction>> {
            let mut all = Vec::new();
            for &target in &targets {
                let plan = ledger::plan_repair(db, target)?;
                if say {
                    tell(hub, target, &plan);
                }
                all.extend(plan.corrections);
            }
            Ok(all)
        };
        let all = plan(&mut db, true)?;
        if all.is_empty() {
            hub.log.info(format_args!("{NAME} no corrections needed"));
            return Ok(0);
        }
        hub.log.info(format_args!("{NAME} {} row(s) to update:", all.len()));
        for Correction { entry, range } in all.iter().take(SHOWN) {
            let told = entry.range.unwrap_or(*range);
            hub.log.info(format_args!(
                "    {}/{}: pk_start {} -> {}, pk_end {} -> {}",
                entry.target.name(),
                entry.filename,
                told.start,
                range.start,
                told.end,
                range.end
            ));
        }
        if all.len() > SHOWN {
            hub.log.info(format_args!("    (... and {} more)", all.len() - SHOWN));
        }
        if !self.apply {
            hub.log.info(format_args!("{NAME} nothing was changed, --apply writes the corrections"));
            return Ok(0);
        }
        let done = db.transaction_with_retry("correcting the ledger of imports", &[ledger::TABLE], |db| {
            // planned again: the previous attempt may have been undone, and other runs may have
            // imported
            let all = plan(db, false)?;
            ledger::apply_repair(db, &all).map(|()| all.len())
        })?;
        hub.log.info(format_args!("{NAME} applied {done} update(s)"));
        Ok(0)
    }
}

fn tell(hub: &Hub, target: Target, plan: &ledger::Repair) {
    let table = target.name();
    if plan.considered == 0 {
        hub.log.info(format_args!("{NAME} {table}: nothing to consider"));
        return;
    }
    match &plan.stopped {
        Some(Stopped::Empty) => hub.log.warning(format_args!("{NAME} {table}: the table is empty, skipping")),
        Some(Stopped::BeforeFirst { filename }) => hub.log.error(format_args!(
            "{NAME} {table}: {filename} would begin before id 1: more rows are recorded than there are ids, so other rows \
             were inserted between the imports; stopped here"
        )),
        Some(Stopped::Unclear { filename }) => hub.log.error(format_args!(
            "{NAME} {table}: ids have gaps, and at {filename} there are other rows than were recorded, so nobody knows \
             which are its; stopped here"
        )),
        Some(Stopped::Reconstructed { .. }) | None => hub.log.info(format_args!(
            "{NAME} {table}: {} row(s) need correction (of {} scanned)",
            plan.corrections.len(),
            plan.considered
        )),
    }
    if let Some(Stopped::Reconstructed { up_to, left }) = plan.stopped {
        hub.log.info(format_args!(
            "{NAME} {table}: stopped at id {up_to}, where reconstructed records end; {left} older ones left alone \
             (reconstruct-imported-sources looks at those)"
        ));
    }
}
