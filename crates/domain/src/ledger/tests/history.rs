//! Long histories: never more is released than limits and approvals allow, nothing is lost or counted twice, and the
//! ledger never fills.

use proptest::prelude::*;

use super::*;

const POLICIES: [&str; 3] = ["p", "q", "r"];

/// Somebody whose Revocation is counted.
#[derive(Clone, Debug)]
struct Leaver {
    policy: &'static str,
    run: String,
    name: String,
    asked: CountedPlan,
    announced: bool,
    of: Of,
    /// Whether it stands in the cluster and is not over.
    open: bool,
    /// Taken out of the count, until its run is counted again.
    out: bool,
    approved: bool,
    /// When, and whether by itself.
    released: Option<(Timestamp, bool)>,
}

impl Leaver {
    fn counts(&self) -> Sums {
        let people = u32::from(self.of != Of::Removals && !(self.of == Of::Baseline && self.asked.objects == 0));
        if self.announced { Sums::default() } else { Sums { people, ..self.asked.touches() } }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A run of this policy, with what each leaver's plan touches, and whether they were announced.
    Run(usize, Of, Vec<(u32, u32, bool)>),
    /// The plan of somebody who is not over became another one, and is counted again.
    Changes(usize),
    Approve(usize),
    Expire(usize),
    Withdraw(usize),
    /// A Revocation is over.
    Ends(usize),
    Hours(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let leavers = prop::collection::vec((0_u32..6, 0_u32..2, any::<bool>()), 1..6);
    let of = prop_oneof![4 => Just(Of::Leavers), 1 => Just(Of::Baseline), 1 => Just(Of::Removals)];
    let somebody = 0_usize..64;
    prop_oneof![
        6 => (0..POLICIES.len(), of, leavers).prop_map(|(policy, of, leavers)| Step::Run(policy, of, leavers)),
        1 => somebody.clone().prop_map(Step::Changes),
        3 => somebody.clone().prop_map(Step::Approve),
        1 => somebody.clone().prop_map(Step::Expire),
        1 => somebody.clone().prop_map(Step::Withdraw),
        3 => somebody.prop_map(Step::Ends),
        4 => (1_i64..40).prop_map(Step::Hours),
    ]
}

fn windows(day: u32, week: u32) -> Vec<Window> {
    vec![Window { within: DAY, most: day }, Window { within: WEEK, most: week }]
}

fn bounds() -> Bounds {
    Bounds {
        policy: Limits { people: windows(4, 9), objects: windows(12, 25), workloads: windows(2, 4) },
        cluster: Limits { people: windows(6, 12), objects: windows(20, 40), workloads: windows(3, 6) },
    }
}

/// The ledger, and everything that was done to it, as a list.
#[derive(Default)]
struct Company {
    ledger: Ledger,
    leavers: Vec<Leaver>,
    hour: i64,
    runs: usize,
}

impl Company {
    fn now(&self) -> Timestamp {
        at(self.hour)
    }

    /// Does it twice, as a process does that was killed before it knew that it was done; and reads the ledger again.
    fn does(&mut self, act: impl Fn(&mut Ledger)) {
        act(&mut self.ledger);
        let once = self.ledger.clone();
        act(&mut self.ledger);
        assert_eq!(self.ledger, once, "done twice is done once");
        let text = serde_json::to_string(&self.ledger).unwrap();
        assert!(text.len() <= self.ledger.bytes() && self.ledger.bytes() <= LARGEST, "{} bytes", text.len());
        self.ledger = serde_json::from_str(&text).unwrap();
    }

    fn keep(&mut self) {
        let mut open: BTreeMap<String, Open> = BTreeMap::new();
        for leaver in self.leavers.iter().filter(|leaver| leaver.open) {
            let who = Who::of(&leaver.name, &leaver.asked.uid);
            let of_policy = open.entry(leaver.policy.to_owned()).or_default();
            of_policy.all.insert(who);
            of_policy.waits.insert(who);
        }
        let now = self.now();
        self.does(|ledger| ledger.retain(&open, now));
    }

    /// Counts a run as control does: all of it that stands there.
    fn count(&mut self, policy: &'static str, run: &str, of: Of) {
        self.keep();
        let of_run = |leaver: &&mut Leaver| leaver.run == run && leaver.open;
        self.leavers.iter_mut().filter(of_run).for_each(|leaver| leaver.out = false);
        let of_run = || self.leavers.iter().filter(|leaver| leaver.run == run && leaver.open);
        let revocations = of_run().map(|leaver| (leaver.name.clone(), leaver.asked.clone())).collect();
        let announced = of_run().filter(|leaver| leaver.announced).map(|leaver| leaver.name.clone()).collect();
        let run = Run { id: run, of, revocations: &revocations, announced: &announced, unplanned: Some(0) };
        let now = self.now();
        self.does(|ledger| ledger.count_run(policy, &run, &bounds(), now));
    }

    fn somebody(&self, number: usize, meant: impl Fn(&Leaver) -> bool) -> Option<usize> {
        let meant: Vec<usize> = (0..self.leavers.len()).filter(|at| meant(&self.leavers[*at])).collect();
        meant.get(number % meant.len().max(1)).copied()
    }

    fn take(&mut self, step: Step) {
        let now = self.now();
        match step {
            Step::Hours(hours) => self.hour += hours,
            Step::Run(policy, of, leavers) => {
                self.runs += 1;
                let (policy, run) = (POLICIES[policy], format!("r-{}", self.runs));
                for (number, (objects, workloads, announced)) in leavers.into_iter().enumerate() {
                    let name = format!("{run}-{number}");
                    let asked = CountedPlan::new(&format!("uid-{name}"), "h", objects, workloads.min(objects));
                    let announced = announced && of == Of::Leavers;
                    let (open, out, approved, released) = (true, false, false, None);
                    self.leavers.push(Leaver {
                        policy,
                        run: run.clone(),
                        name,
                        asked,
                        announced,
                        of,
                        open,
                        out,
                        approved,
                        released,
                    });
                }
                self.count(policy, &run, of);
            }
            Step::Changes(number) => {
                let Some(at) = self.somebody(number, |leaver| leaver.open) else { return };
                let leaver = &mut self.leavers[at];
                let (objects, hash) = (leaver.asked.objects + 1, format!("h{}", leaver.asked.objects));
                leaver.asked = CountedPlan::new(&leaver.asked.uid, &hash, objects, leaver.asked.workloads);
                (leaver.approved, leaver.released) = (false, None);
                let (policy, run, of) = (leaver.policy, leaver.run.clone(), leaver.of);
                self.count(policy, &run, of);
            }
            Step::Approve(number) => {
                let Some(at) = self.somebody(number, |leaver| leaver.open && !leaver.out) else { return };
                self.leavers[at].approved = true;
                let Leaver { policy, name, asked, .. } = self.leavers[at].clone();
                self.does(|ledger| ledger.approve(policy, &name, &asked, now));
            }
            Step::Expire(number) => {
                let Some(at) = self.somebody(number, |leaver| leaver.open && leaver.approved) else { return };
                self.leavers[at].approved = false;
                let Leaver { policy, name, asked, .. } = self.leavers[at].clone();
                self.does(|ledger| ledger.expire(policy, &name, &asked));
            }
            Step::Withdraw(number) => {
                let Some(at) = self.somebody(number, |leaver| leaver.open && leaver.released.is_none()) else { return };
                self.leavers[at].out = true;
                let Leaver { policy, name, asked, .. } = self.leavers[at].clone();
                self.does(|ledger| ledger.withdraw(policy, &name, &asked.uid));
            }
            Step::Ends(number) => {
                if let Some(at) = self.somebody(number, |leaver| leaver.open && leaver.released.is_some()) {
                    self.leavers[at].open = false;
                    self.keep();
                }
            }
        }
        self.see();
    }

    /// Takes down who was released now, and that nobody was lost.
    fn see(&mut self) {
        let now = self.now();
        for leaver in self.leavers.iter_mut().filter(|leaver| leaver.open) {
            match self.ledger.allowance(leaver.policy, &leaver.name, &leaver.asked) {
                Allowance::Released { batch } => {
                    leaver.released.get_or_insert((now, batch.is_none()));
                    let by_a_human = leaver.approved || leaver.asked.objects == 0;
                    assert!(batch.is_none() || by_a_human, "{leaver:?} was let out of {batch:?} by nobody");
                }
                Allowance::Held { .. } => leaver.released = None,
                Allowance::Uncounted => assert!(leaver.out, "{leaver:?} was counted, and is forgotten"),
                Allowance::NoRoom => panic!("there is room for so few"),
            }
        }
    }

    fn sum(&self, policy: Option<&str>, within: SignedDuration, approved_too: bool) -> Sums {
        let now = self.now();
        let meant = self.leavers.iter().filter(|leaver| policy.is_none_or(|policy| leaver.policy == policy));
        meant
            .filter(|leaver| {
                leaver
                    .released
                    .is_some_and(|(at, by_itself)| now.duration_since(at) < within && (approved_too || by_itself))
            })
            .fold(Sums::default(), |sum, leaver| sum.plus(leaver.counts()))
    }

    /// What must hold after every step.
    fn holds(&self) {
        let all = POLICIES.map(|policy| (Some(policy), bounds().policy)).into_iter().chain([(None, bounds().cluster)]);
        for (policy, limits) in all {
            for what in What::ALL {
                for window in limits.of(what) {
                    let released = self.sum(policy, window.within, false).of(what);
                    assert!(released <= window.most, "{released} {what:?} of {policy:?} within {}", window.within);
                }
            }
        }
        let slack = SignedDuration::from_hours(25); // what is over counts to the end of its hour, and later of its day
        for (policy, account) in &self.ledger.policies {
            for (within, approved_too) in [(DAY, true), (DAY, false), (WEEK, true), (WEEK, false)] {
                let counted = account.within(within, approved_too, self.now());
                let least = self.sum(Some(policy), within, approved_too);
                let most = self.sum(Some(policy), within + slack, approved_too);
                for what in What::ALL {
                    let range = least.of(what)..=most.of(what);
                    let counted = counted.of(what);
                    assert!(range.contains(&counted), "{what:?} of {policy}: {counted} in {range:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_more_is_released_than_limits_and_approvals_allow(steps in prop::collection::vec(step(), 1..80)) {
        let mut company = Company::default();
        for step in steps {
            company.take(step);
            company.holds();
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))] // tens of thousands of leavers each

    #[test]
    fn the_ledger_never_grows_beyond_what_one_object_holds(
        runs in prop::collection::vec((0..5_usize, 1..9_000_u32, any::<bool>(), 0..30_i64), 4..10),
    ) {
        let (mut ledger, mut hour) = (Ledger::default(), 0);
        for (number, (policy, leavers, approved, hours)) in runs.into_iter().enumerate() {
            hour += hours;
            let policy = format!("policy-{policy}");
            let name = |n: u32| format!("p-{number:026}-{n:08x}-cut");
            let asked = |n: u32| CountedPlan::new(&format!("uid-{n}"), &format!("{n:064x}"), 5, 0);
            let leavers: BTreeMap<String, CountedPlan> = (0..leavers).map(|n| (name(n), asked(n))).collect();
            ledger.count(&policy, &format!("r-{number}"), Of::Leavers, &leavers, LIMITS, at(hour));
            for (minute, (name, asked)) in (0..).zip(&leavers).filter(|_| approved).take(200) {
                ledger.approve(&policy, name, asked, at(hour) + SignedDuration::from_mins(minute));
            }
            let text = serde_json::to_string(&ledger).unwrap();
            prop_assert!(text.len() <= ledger.bytes() && ledger.bytes() <= LARGEST, "{} bytes", text.len());
        }
    }
}

#[test]
fn ten_thousand_approved_leavers_of_a_policy_and_years_of_months_fit_into_one_object() {
    let mut ledger = Ledger::default();
    let name = |n: u32| format!("p-{n:026}-{n:08x}-cut");
    let asked = |n: u32| CountedPlan::new(&format!("00000000-0000-4000-8000-{n:012}"), &format!("{n:064x}"), 5, 0);
    for day in 0..730_i64 {
        let few = many((0..2).map(|n| format!("{day}-{n}")), 3);
        ledger.count("small", &format!("r-{day}"), Of::Leavers, &few, LIMITS, at(day * 24));
        ledger.retain(&BTreeMap::new(), at(day * 24 + 1));
    }
    assert!(ledger.bytes() < 5_000, "two years of two a day take {} bytes", ledger.bytes());
    let leavers: BTreeMap<String, CountedPlan> = (0..10_000).map(|n| (name(n), asked(n))).collect();
    ledger.count("large", "r-all", Of::Leavers, &leavers, LIMITS, at(730 * 24));
    for (name, asked) in &leavers {
        ledger.approve("large", name, asked, at(730 * 24 + 1));
    }
    let text = serde_json::to_string(&ledger).unwrap();
    assert!(text.len() < LARGEST / 4, "{} bytes", text.len());
    let read: Ledger = serde_json::from_str(&text).unwrap();
    let released = Allowance::Released { batch: Some("b-all".into()) };
    assert_eq!(read.allowance("large", &name(9_999), &asked(9_999)), released);
    let other_plan = CountedPlan::new(&asked(9_999).uid, &"f".repeat(64), 5, 0);
    assert_eq!(read.allowance("large", &name(9_999), &other_plan), Allowance::Uncounted);
    assert_eq!(read.allowance("large", "p-somebody-else-cut", &asked(1)), Allowance::Uncounted);
}

#[test]
fn what_there_is_no_room_for_is_not_counted_and_holds_only_its_own_policy() {
    let mut ledger = Ledger::default();
    let waiting = many((0..20_000).map(|n| format!("first-{n}")), 3);
    ledger.count("p", "r-1", Of::Leavers, &waiting, LIMITS, at(0));
    assert_eq!(allowance(&ledger, "first-0"), held("b-1".into(), false));
    let before = ledger.clone();
    let more = many((0..20_000).map(|n| format!("more-{n}")), 3);
    ledger.count("p", "r-2", Of::Leavers, &more, LIMITS, at(1));
    assert_eq!(allowance(&ledger, "more-0"), Allowance::NoRoom);
    assert_eq!(allowance(&ledger, "first-0"), held("b-1".into(), false), "what was counted stands");
    assert_eq!(ledger.bytes(), before.bytes());

    ledger.count("other", "r-3", Of::Leavers, &names(&["a"]), LIMITS, at(1));
    assert_eq!(allowance_of(&ledger, "other", "a"), Allowance::Released { batch: None });
    ledger.approve("p", "first-0", &plan("h", 3), at(1));
    assert_eq!(allowance(&ledger, "first-0"), Allowance::Released { batch: Some("b-1".into()) }, "it can be approved");

    ledger.retain(&BTreeMap::new(), at(2)); // all of them were rejected
    ledger.count("p", "r-2", Of::Leavers, &more, LIMITS, at(3));
    assert_eq!(allowance(&ledger, "more-0"), held("b-2".into(), false));
}
