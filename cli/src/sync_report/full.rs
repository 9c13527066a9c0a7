//! A run in full: every account, every trouble, and how the numbers balance.

use std::collections::BTreeSet;

use chatvault_ingest::sync::{AccountReport, Tally};

use super::{Told, outcome_name, print_advice};
use crate::console::Console;
use crate::table::{Column, Listing};
use crate::text;

const COLUMNS: &[Column] = &[
    Column::id("account", 41),
    Column::text("result", 8),
    Column::number("copies", 11),
    Column::number("new", 10),
    Column::number("duplicates", 11),
    Column::number("quarantined", 11),
    Column::number("objects", 8),
    Column::number("not had", 7),
    Column::number("requests", 8),
    Column::rest("name"),
];

impl<'a> Told<'a> {
    /// The report in full.
    pub(crate) fn print_all(&self, console: &mut Console<'_>) -> anyhow::Result<()> {
        for line in self.lines() {
            console.line(line)?;
        }
        console.line(self.balance())?;
        self.print_accounts(console)?;
        self.print_every_trouble(console)
    }

    fn balance(&self) -> String {
        let Tally { copies, stored, variants, duplicates, quarantined, .. } = self.report.total;
        let numbers = [stored, variants, duplicates, quarantined];
        let [stored, variants, duplicates, quarantined] = numbers.map(text::count);
        let sum = format!(
            "{stored} new + {variants} variants + {duplicates} duplicates + {quarantined} quarantined"
        );
        if self.balances() {
            let copies = text::count(copies);
            return format!("balance           {copies} copies = {sum}; each account's too");
        }
        let is_off = |(custodian, account): (&'a String, &'a AccountReport)| {
            (!account.tally.balances()).then_some(custodian.as_str())
        };
        let off: Vec<&str> = self.report.accounts.iter().filter_map(is_off).take(3).collect();
        let copies = text::count(copies);
        let off = if off.is_empty() { "the total".to_owned() } else { off.join(", ") };
        format!("DOES NOT BALANCE  {copies} copies, {sum}; look at {off}")
    }

    fn print_accounts(&self, console: &mut Console<'_>) -> anyhow::Result<()> {
        if self.report.accounts.is_empty() {
            return Ok(());
        }
        let mut listing = Listing::new(COLUMNS, console.width());
        console.line("")?;
        for (custodian, account) in &self.report.accounts {
            console.lines(listing.push(self.row(custodian, account)))?;
        }
        console.lines(Some(listing.lines()))
    }

    fn row(&self, custodian: &str, account: &AccountReport) -> Vec<String> {
        let tally = &account.tally;
        let counts = [
            tally.copies,
            tally.stored,
            tally.duplicates,
            tally.quarantined,
            tally.objects,
            tally.failures,
            tally.requests,
        ];
        let mut row = vec![custodian.to_owned(), outcome_name(account.outcome).to_owned()];
        row.extend(counts.map(text::count));
        row.push(self.names.get(custodian).copied().unwrap_or_default().to_owned());
        row
    }

    fn print_every_trouble(&self, console: &mut Console<'_>) -> anyhow::Result<()> {
        let of_run = self.report.troubles.iter().map(|trouble| ("all", trouble));
        let of_accounts = self.troubled().flat_map(|(custodian, account)| {
            account.troubles.iter().map(move |trouble| (custodian, trouble))
        });
        let mut advice = BTreeSet::new();
        for (whose, trouble) in of_run.chain(of_accounts) {
            if advice.is_empty() {
                console.line("")?;
            }
            console.line(format!("{whose}: {}: {}", trouble.what, trouble.reason))?;
            let _ = advice.insert(trouble.advice.as_str());
        }
        print_advice(advice, console)
    }
}
