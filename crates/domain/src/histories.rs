//! Random companies through random histories: several HR systems that lie, several records a human, crashes, and clocks
//! that jump, over trust gate, roster, plan, ledger and gate together, in the order in which sync and control call them.
//!
//! After every step, by a plain model of what trusted answers said (`model.rs`):
//! nobody becomes a leaver, and nothing of theirs is released, while any record that is known to be theirs goes on; what is
//! absent says nothing, and what cannot be told holds; no lie that is larger than the bounds is trusted; a held answer and an
//! idle pass write nobody; no more is released without a human than the limits let through, and nothing that was not counted;
//! who was never seen at work here, was seen to leave at a baseline, or is out of scope, needs an approval that still lasts.
//! A human's hold and no hold; a human's word counts while it stands, and no longer. Accounts alone say of nobody that they
//! left. Nobody is frozen who works, or whose name is somebody else's who does. Of somebody in two scopes nothing new is
//! decided, and one policy alone ends their access: the one that had them. At the end the sources tell the truth, time passes
//! and a human approves what is right: then every leaver's own accounts are refused.
//!
//! `make histories CASES=20000` plays so many of them.
//!
//! It was seen to fail with each of these mistakes, planted one after another: the shrink check dropped; a stale source not
//! waited for; limits counted without what is asked for; an owner annotation of several resolved to the first; what is absent,
//! or not mapped, taken as terminated; an uncounted plan released; what turned up later released unapproved; a hold ignored; a
//! word that stands after its end, or before its last day; a word that somebody stays ignored; a leave that does not end with
//! their return; a name frozen that is somebody else's too, or became so; a baseline that a changed policy does not take, or
//! that acts unapproved; an expired approval that counts; a conflict of two policies ignored; two policies that both end
//! somebody's access; a system of accounts that decides. The 64 stories of every run are enough for these: a rejection ignored; a
//! leave that nobody saw begin, unapproved; a leaver who goes to another policy with a transfer.

mod cluster;
mod company;
mod ending;
mod happens;
mod model;
mod steps;
mod words;

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::roster::{Change, MatchKey, Matching, Role, RosterEntry};
use cluster::{Cluster, Leave, Policy};
use company::{Company, madrid};
use ending::ENDS;
use model::{Model, check};
use steps::{Left, Lie, Step, any_leave, any_steps};

/// How often the policies may pass until nobody is written any more.
const MOST_ROUNDS: usize = 12;

/// How a company begins.
#[derive(Clone, Debug)]
struct Beginning {
    /// Its HR systems: whether each of them has no status column.
    silent: Vec<bool>,
    people: u8,
    /// Every so many has a second record, in another system.
    twice: u8,
    /// Records are matched by address and number.
    matched: bool,
    /// There is a system of accounts too, which says of nobody that they left.
    accounts: bool,
    /// Two policies over the same systems, each about a part of the company.
    divided: bool,
    leave: Leave,
}

fn any_beginning() -> impl Strategy<Value = Beginning> {
    let people = prop_oneof![3 => 3_u8..9, 1 => 9_u8..31];
    let silent = proptest::collection::vec(proptest::bool::weighted(0.25), 1..=3);
    let sometimes = || proptest::bool::weighted(0.3);
    let policies = (sometimes(), sometimes(), any_leave());
    (silent, people, 2_u8..8, any::<bool>(), policies).prop_map(|(silent, people, twice, matched, policies)| {
        let (accounts, divided, leave) = policies;
        Beginning { silent, people, twice, matched, accounts, divided, leave }
    })
}

/// A company, the cluster that follows it, what was said, and what happened so far in words.
struct Story {
    company: Company,
    cluster: Cluster,
    model: Model,
    told: Vec<String>,
    steps: usize,
}

impl Story {
    fn new(beginning: &Beginning) -> Self {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let keys = if beginning.matched { vec![MatchKey::WorkEmail, MatchKey::EmployeeNumber] } else { Vec::new() };
        let matching = Matching { keys, number_space: beginning.matched.then(|| "acme".to_owned()) };
        let mut story = Self {
            company: Company::new(&beginning.silent, beginning.accounts, now),
            cluster: Cluster::new(matching, words::policies(beginning), now),
            model: Model::default(),
            told: Vec::new(),
            steps: 0,
        };
        let systems = beginning.silent.len();
        for system in &story.company.systems {
            let role = if system.corroborates { Role::Corroborating } else { Role::Employment };
            story.cluster.connect(system.name, role);
        }
        for n in 0..beginning.people {
            let line = story.join(usize::from(n) % systems, -400, None);
            if n % beginning.twice == 1 {
                let human = story.company.lines[line].human;
                story.company.employ(human, (usize::from(n) + 1) % systems, -30);
            }
            if n % 7 == 6 {
                story.end(line, 20);
            }
        }
        story
    }

    fn tell(&mut self, what: &str) {
        let day = self.company.now.duration_since("2026-03-02T12:00:00Z".parse().unwrap()).as_hours() / 24;
        self.told.push(format!("day {day}: {what}"));
    }

    fn line(&self, who: u8) -> usize {
        usize::from(who) % self.company.lines.len()
    }

    fn source(&self, number: u8) -> usize {
        let source = usize::from(number) % self.company.systems.len();
        self.company.systems[source].replaced_by.unwrap_or(source)
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        self.steps += 1;
        match step {
            Step::Read(source, lie) => self.read(self.source(source), lie, false)?,
            Step::ReadOf(who) => self.read(self.company.lines[self.line(who)].source, Lie::None, false)?,
            Step::Accept(source) => self.read(self.source(source), Lie::None, true)?,
            Step::Pass => self.pass()?,
            Step::Later(hours) => {
                let later = SignedDuration::from_hours(i64::from(hours));
                self.company.now += later;
                self.cluster.now += later;
                self.pass()?;
            }
            Step::Clock(days) => {
                let ahead = self.cluster.now.duration_since(self.company.now).as_hours() / 24 + i64::from(days);
                self.cluster.now = self.company.now + SignedDuration::from_hours(24 * ahead.clamp(-5, 5));
                self.tell(&format!("the cluster's clock is {} days ahead", ahead.clamp(-5, 5)));
                self.pass()?;
            }
            Step::Crash(source, writes, left) => self.crash(self.source(source), usize::from(writes), left)?,
            Step::Approve => self.control(true)?,
            Step::Replaced(source) => self.replace(self.employer(source)),
            other => match self.happens(other) {
                Some((line, what)) => self.line_told(line, what),
                None => self.says(other)?,
            },
        }
        Ok(())
    }

    /// A poll, and the pass after it. An answer that is not trusted changes nobody.
    fn read(&mut self, source: usize, lie: Lie, accept: bool) -> Result<(), String> {
        self.pass()?;
        let name = self.company.systems[source].name;
        let answer = self.company.says(source, lie);
        let read = answer.clone().ok();
        let due = self.due(); // what control has done since
        match (self.cluster.poll(source, answer, accept), read) {
            (Ok(believed), Some(read)) => {
                if self.told.last().is_none_or(|last| !last.contains(ENDS)) {
                    self.tell(&format!("{name} is read, {lie:?}: trusted"));
                }
                let (employees, accepted) = (believed.snapshot.employees(), !believed.waived.is_empty());
                self.model.believed(name, &read, employees, accepted, &self.cluster)?;
                self.pass()
            }
            (held, _) => {
                let why =
                    held.err().flatten().map(|held| held.findings.iter().map(|one| one.reason()).collect::<Vec<_>>());
                self.tell(&format!("{name} is read, {lie:?}: held by {}", why.unwrap_or_default().join(", ")));
                let changes = self.due();
                check(changes == due, || format!("a held answer changed somebody: {changes:?}"))
            }
        }
    }

    /// What every policy would write now.
    fn due(&self) -> Vec<Change> {
        (0..self.cluster.policies.len()).flat_map(|policy| self.cluster.plan(policy).changes).collect()
    }

    /// A whole pass of every policy, after which another one writes nobody; then control.
    fn pass(&mut self) -> Result<(), String> {
        let policies = self.cluster.policies.len();
        for round in 0.. {
            check(round < MOST_ROUNDS, || "the policies never come to rest".to_owned())?;
            self.cluster.now += SignedDuration::from_millis(1); // no two terminations are seen at one instant
            let (before, mut written) = (self.cluster.linked(), 0);
            for policy in 0..policies {
                let pass = self.cluster.plan(policy);
                self.model.passed(policy, &pass, &self.cluster)?;
                let mut dies_never = usize::MAX;
                written += self.cluster.write(policy, pass, &mut dies_never).len();
            }
            // A pass that links records knows more of their humans afterwards, and may link others then; and each policy
            // sees what another one wrote.
            if self.cluster.linked() == before && (policies == 1 || written == 0) {
                break;
            }
        }
        self.model.written(&self.cluster);
        (0..self.cluster.policies.len()).try_for_each(|policy| self.is_idle(policy))?;
        self.model.stands(&self.cluster)?;
        self.control(false)?;
        self.model.frozen(&self.cluster)
    }

    /// Another pass of a policy writes nobody.
    fn is_idle(&self, policy: usize) -> Result<(), String> {
        let again = self.cluster.plan(policy);
        check(again.changes.is_empty(), || {
            let of = |entry: &RosterEntry| {
                let employments = entry.employments.iter();
                let employments =
                    employments.map(|one| (one.record.to_string(), one.facts, one.missing_since, one.state.why));
                format!("{:?} {:?} {:?}", employments.collect::<Vec<_>>(), entry.aliases, entry.profile.work_email)
            };
            let change = &again.changes[0];
            let before = self.cluster.person(&change.name).and_then(|one| one.known.entry.as_deref()).map(of);
            format!("an idle pass writes {}, which was {before:?}", of(&change.entry))
        })?;
        check(again.runs == self.cluster.runs(policy), || "an idle pass changes the runs".to_owned())
    }

    fn control(&mut self, approve: bool) -> Result<(), String> {
        let released = self.cluster.control(approve);
        self.model.counts(&self.cluster)?;
        for release in released {
            let objects: Vec<&str> = release.done.iter().map(|target| target.name.as_str()).collect();
            let approved = release.approved.map_or("", |_| ", approved");
            self.tell(&format!("released, {:?}: {}{approved}", release.trigger, objects.join(" ")));
            self.model.released(&release, &self.cluster)?;
        }
        Ok(())
    }

    /// Sync dies in the middle of the pass after a poll, and starts again; control goes on meanwhile.
    fn crash(&mut self, source: usize, writes: usize, left: Left) -> Result<(), String> {
        self.pass()?;
        let name = self.company.systems[source].name;
        let answer = self.company.says(source, Lie::None);
        if let (Ok(read), Ok(believed)) = (answer.clone(), self.cluster.poll(source, answer, false)) {
            let employees = believed.snapshot.employees();
            self.model.believed(name, &read, employees, false, &self.cluster)?;
        }
        let (mut dies_after, mut all, mut written) = (writes, Vec::new(), Vec::new());
        for policy in 0..self.cluster.policies.len() {
            let pass = self.cluster.plan(policy);
            self.model.passed(policy, &pass, &self.cluster)?;
            all.extend(pass.changes.iter().map(|change| (change.name.clone(), change.records.clone())));
            written.extend(self.cluster.write(policy, pass, &mut dies_after));
        }
        self.tell(&format!(
            "sync reads {name} and dies after {writes} writes, of {} people; memory: {left:?}",
            written.len()
        ));
        self.control(false)?;
        self.cluster.restart();
        for (_, records) in all.iter().filter(|(name, _)| !written.contains(name)) {
            self.model.lost(records);
        }
        for source in 0..self.cluster.sources.len() {
            let name = self.cluster.sources[source].name;
            match left {
                Left::All => {}
                Left::Old if self.cluster.forget(source, true) => self.model.forget(name, true),
                Left::Old => {}
                Left::Nothing => {
                    self.cluster.forget(source, false);
                    self.model.forget(name, false);
                }
            }
        }
        self.pass()
    }
}

fn plays(beginning: &Beginning, steps: &[Step]) -> Result<(), String> {
    let mut story = Story::new(beginning);
    let played = (|| {
        for source in 0..story.company.systems.len() {
            story.read(source, Lie::None, false)?;
        }
        story.step(Step::Approve)?;
        for step in steps {
            story.step(*step)?;
        }
        story.end_well()
    })();
    played.map_err(|why: String| format!("{why}\n{}", story.told.join("\n")))
}

/// 64 stories, the same ones every time: a story takes as long as a hundred cases of other tests. `PROPTEST_CASES` asks for another
/// number, and where that is more than the 256 of other tests, for new ones.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let rng_seed = if asked.cases > 256 { asked.rng_seed } else { RngSeed::Fixed(1) };
    ProptestConfig { cases: 64, rng_seed, failure_persistence: None, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nobody_is_harmed_and_every_leaver_leaves_whatever_comes(
        beginning in any_beginning(),
        steps in any_steps(),
    ) {
        plays(&beginning, &steps).map_err(TestCaseError::fail)?;
    }
}
