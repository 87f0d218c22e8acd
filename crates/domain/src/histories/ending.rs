//! How every story ends: the sources tell the truth, time passes, and a human decides what is a human's to decide. Then
//! whoever has left is out.

use super::*;
use crate::employee::{HrId, Status};
use crate::lifecycle::Why;
use crate::roster::RecordKey;

/// What is told of the end.
pub(super) const ENDS: &str = "from here on every source tells the truth";

impl Story {
    /// The sources tell the truth, time passes, and a human says who is who and approves what waits.
    pub(super) fn end_well(&mut self) -> Result<(), String> {
        self.tell(ENDS);
        self.separate();
        for _ in 0..14 {
            self.cluster.people.iter_mut().for_each(|one| one.hold = None);
            self.cluster.clear_up();
            let today = self.company.today();
            for line in &mut self.company.lines {
                line.listed = true;
                line.status = if line.ended(today) { Status::Terminated } else { line.status };
            }
            for source in 0..self.company.systems.len() {
                if self.company.systems[source].replaced_by.is_none() {
                    self.read(source, Lie::None, true)?;
                }
            }
            self.decide()?;
            self.pass()?;
            self.step(Step::Approve)?;
            self.step(Step::Later(60))?;
        }
        for human in 0..self.company.humans.len() {
            self.is_out(human)?;
        }
        let waits: Vec<String> = self.cluster.leaves_that_wait().collect();
        check(waits.is_empty(), || format!("nothing was done about a leave: {waits:?}"))
    }

    /// A human merges whom the replaced source knows with whom the new one does, and tells apart who shares an address.
    fn decide(&mut self) -> Result<(), String> {
        // A record that was matched to somebody else by a lie is split off.
        for one in 0..self.cluster.people.len() {
            let records = self.cluster.people[one].known.records.clone();
            let first = self.humans_of(&records[..1]);
            let (kept, wrong) =
                records.into_iter().partition(|record| self.humans_of(std::slice::from_ref(record)) == first);
            let known = &mut self.cluster.people[one].known;
            known.records = kept;
            self.model.deleted(&wrong);
            known.apart.extend::<Vec<RecordKey>>(wrong);
        }
        // A Person whose record became another human's is deleted, as its condition says.
        let conflicts = |one: &cluster::Standing| {
            one.known.entry.iter().flat_map(|entry| &entry.employments).any(|one| one.state.why == Why::Conflict)
        };
        for one in self.cluster.people.extract_if(.., |one| conflicts(one)) {
            self.model.deleted(&one.known.records);
        }
        let humans: Vec<BTreeSet<usize>> =
            self.cluster.people.iter().map(|one| self.humans_of(&one.known.records)).collect();
        let keys = |one: &cluster::Standing| -> BTreeSet<String> {
            one.known.entry.iter().flat_map(|entry| entry.aliases.iter().cloned()).collect()
        };
        let keys: Vec<BTreeSet<String>> = self.cluster.people.iter().map(keys).collect();
        for one in 0..self.cluster.people.len() {
            for other in 0..self.cluster.people.len() {
                if humans[one].is_disjoint(&humans[other]) && !keys[one].is_disjoint(&keys[other]) {
                    let records = self.cluster.people[other].known.records.clone();
                    let apart = &mut self.cluster.people[one].known.apart;
                    let more: Vec<RecordKey> = records.into_iter().filter(|record| !apart.contains(record)).collect();
                    apart.extend(more);
                }
            }
        }
        let not_migrated = |one: &cluster::Standing| {
            one.known.entry.as_ref().is_some_and(|entry| entry.employment.why == Why::NotMigrated)
        };
        for old in
            self.cluster.people.iter().filter(|one| not_migrated(one)).map(|one| one.uid.clone()).collect::<Vec<_>>()
        {
            self.merge(&old)?;
        }
        Ok(())
    }

    /// A human links the records of the new HR system to the Person of the old one, and deletes the other
    /// Persons of that human.
    fn merge(&mut self, old: &str) -> Result<(), String> {
        let of = |one: &cluster::Standing| one.uid == old;
        let Some(mut records) = self.cluster.people.iter().find(|one| of(one)).map(|one| one.known.records.clone())
        else {
            return Ok(());
        };
        let humans = self.humans_of(&records);
        for other in self.cluster.people.iter().filter(|one| !self.humans_of(&one.known.records).is_disjoint(&humans)) {
            records.extend(
                other.known.records.iter().filter(|record| !records.contains(record)).cloned().collect::<Vec<_>>(),
            );
        }
        for line in self.company.lines.iter().filter(|line| humans.contains(&line.human)) {
            let connection = self.company.systems[line.source].name.into();
            let record = RecordKey { connection, id: HrId(line.id.clone()) };
            if !records.contains(&record) {
                records.push(record);
            }
        }
        self.cluster.people.iter_mut().filter(|one| of(one)).for_each(|one| one.known.records.clone_from(&records));
        self.pass()?;
        self.taken_over(old)?;
        self.cluster.people.retain(|one| of(one) || !one.known.records.iter().all(|record| records.contains(record)));
        Ok(())
    }

    /// The command waits until what the others were known by is taken over, before it deletes them.
    fn taken_over(&self, old: &str) -> Result<(), String> {
        let aliases = |one: &cluster::Standing| -> BTreeSet<String> {
            one.known.entry.iter().flat_map(|entry| entry.aliases.iter().cloned()).collect()
        };
        let Some(stays) = self.cluster.people.iter().find(|one| one.uid == old) else { return Ok(()) };
        let known = aliases(stays);
        let goes =
            |one: &&cluster::Standing| one.known.records.iter().all(|record| stays.known.records.contains(record));
        for one in self.cluster.people.iter().filter(goes) {
            let missing: Vec<String> = aliases(one).difference(&known).cloned().collect();
            check(missing.is_empty(), || format!("{} never gets {missing:?} of {}", stays.called(), one.called()))?;
        }
        Ok(())
    }

    /// Whose records these truly are.
    fn humans_of(&self, records: &[RecordKey]) -> BTreeSet<usize> {
        let human = |record: &RecordKey| {
            let id = record.id.0.trim_start_matches(['w', 'u']); // those of another tenant are nobody's
            id.split('-').next().and_then(|number| number.parse().ok())
        };
        records.iter().filter_map(human).collect()
    }

    /// A human who has left has lost the account that is theirs by their id.
    fn is_out(&self, human: usize) -> Result<(), String> {
        let department = self.company.humans[human].department;
        if self.company.employs(human) || !self.cluster.policies.iter().any(|policy| policy.has(department)) {
            return Ok(());
        }
        let account = format!("id-{human}");
        let mark = self.cluster.objects.accounts.iter().find(|one| one.name == account).map(|one| one.owner.clone());
        let names = |record: &RecordKey| mark.as_ref().is_some_and(|mark| *mark == format!("id:{record}"));
        if !self.cluster.people.iter().any(|one| one.known.records.iter().any(names)) {
            return Ok(()); // an HR system that was replaced before anybody read of them
        }
        let theirs = self.cluster.people.iter().filter(|one| self.humans_of(&one.known.records).contains(&human));
        let out = theirs.clone().any(|one| self.cluster.has_cut(one, &account));
        let shown = theirs.map(|one| {
            let entry = one.known.entry.as_ref().map(|entry| (&entry.policy, &entry.employment));
            format!("{} {entry:?} {:#?}", one.called(), self.cluster.shown(one))
        });
        check(out, || format!("u{human} has left, and {account} works on: {:#?}", shown.collect::<Vec<_>>()))
    }
}
