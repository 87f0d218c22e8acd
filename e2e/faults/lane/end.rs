//! The end that a leaver comes to, the same whatever went wrong with whatever call.

use super::*;

impl Lane {
    /// Sees the end of one: the same whatever went wrong.
    ///
    /// One thing has a time of its own: nobody waits for ever until `rollcall trim` has done its part. Where processes died, or the machine
    /// is busy, it may come too late; then the binding stands as it was, and the Revocation says so.
    pub(super) async fn came_to_its_end(&mut self, id: &str, before: &Before, cut: &Revocation, told: &str) {
        let name = |word: &str| format!("{word}-{id}");
        let status = cut.status.as_ref().unwrap();
        let late = is_late(cut);
        let shown = || format!("{told}: {}", serde_json::to_string_pretty(status).unwrap());
        let steps: BTreeMap<Action, StepOutcome> =
            status.steps.iter().map(|step| (step.target.action, step.outcome)).collect();
        for action in [Action::Recreate, Action::Unbind, Action::Trim, Action::Rotate] {
            let done = match steps.get(&action) {
                Some(StepOutcome::Done) => true,
                Some(StepOutcome::Skipped) => action == Action::Trim && late,
                Some(StepOutcome::AlreadyGone) => matches!(action, Action::Unbind | Action::Trim),
                _ => false,
            };
            assert!(done, "{action:?}, {}", shown());
        }
        let good = [VerdictKind::Observed, VerdictKind::Implied, VerdictKind::Adopted];
        assert!(
            status.verdicts.len() + status.remaining.len() == 5
                && status.verdicts.iter().all(|one| good.contains(&one.verdict)),
            "{}",
            shown()
        );
        assert!(
            status.remaining.len() == usize::from(late) && status.verified.is_some() && status.confirmed.is_some(),
            "{}",
            shown()
        );
        assert!(status.freeze.as_ref().is_some_and(|freeze| freeze.acted.is_some()), "{}", shown());
        let recreated = status.steps.iter().find_map(|step| step.new_uid.clone());
        assert!(recreated.is_some() && recreated != before.account, "{}", shown());
        self.hooks_ran_once(cut, status, told);

        let all = self.rollcall.revocations_of(&self.people[id]).await;
        assert_eq!(all.len(), 4, "one cut, one removal, what waited for an approval, and no other discovery; {told}");
        let sealed = |one: &Revocation| one.status.as_ref().is_some_and(|status| status.evidence.is_some());
        assert!(all.iter().all(sealed), "{told}");
        assert!(self.api::<ServiceAccount>("apps").get_opt(&name("account")).await.unwrap().is_none(), "{told}");
        for word in ["alone", "robot"] {
            assert!(self.api::<RoleBinding>("apps").get_opt(&name(word)).await.unwrap().is_none(), "{word}, {told}");
        }
        let shared = self.api::<RoleBinding>("joint").get(&name("shared")).await.unwrap();
        let left: Vec<String> = shared.subjects.unwrap_or_default().into_iter().map(|subject| subject.name).collect();
        let [theirs, stays] = [id, &STAYS.to_string()].map(|id| self.rollcall.user(id));
        let out = left == [stays.clone()];
        assert!(out || (late && left == [theirs, stays]), "{left:?}, {told}"); // it may come after it was given up
        self.untrimmed.extend((!out).then(|| id.to_owned()));
        let secret = self.api::<Secret>("keys").get(&name("secret")).await.unwrap();
        assert_ne!(value(&secret), before.secret, "{told}");
        self.others_work_on(id, before, &all, told).await;
    }

    /// What something runs as is a colleague's and another one, and every pod is another one, each acted on once.
    async fn others_work_on(&self, id: &str, before: &Before, all: &[Revocation], told: &str) {
        for (part, action) in LATE {
            let late = all.iter().find(|one| one.name_any().contains(part)).unwrap();
            let status = late.status.as_ref().unwrap();
            let shown = || format!("{told}: {}", serde_json::to_string_pretty(status).unwrap());
            let done = match status.steps.as_slice() {
                [step] if step.target.action == Action::Evict => {
                    matches!(step.outcome, StepOutcome::Done | StepOutcome::AlreadyGone)
                }
                [step] => step.outcome == StepOutcome::Done,
                _ => false,
            };
            assert!(done && status.steps[0].target.action == action && status.verdicts.len() == 1, "{}", shown());
        }
        let crew = self.api::<ServiceAccount>("crews").get(&format!("crew-{id}")).await.unwrap();
        assert!(
            crew.uid() != before.crew && crew.annotations()[names::OWNER] == self.rollcall.mark(&STAYS.to_string()),
            "{told}"
        );
        for (pod, uid) in &before.pods {
            let target = if pod.starts_with("room-") { "rooms" } else { "crews" };
            let api = self.api::<Pod>(target);
            eventually(&format!("{pod} is made again; {told}"), || async {
                (api.get_opt(pod).await.unwrap()?.uid() != *uid).then_some(())
            })
            .await;
        }
    }

    /// Each hook ran once; a before-hook whose time passed while nobody led is left out, and never run twice.
    fn hooks_ran_once(&self, cut: &Revocation, status: &RevocationStatus, told: &str) {
        for name in ["first", "last"] {
            let ran = fs::read_to_string(self.rollcall.directory().join(name)).unwrap_or_default();
            let times = ran.lines().filter(|line| line.contains(&cut.uid().unwrap())).count();
            let run = status.hooks.iter().find(|run| run.name == name);
            let well = run.is_some_and(|run| run.outcome == HookOutcome::Done);
            assert!(times == 1 || (name == "first" && times == 0), "{name} ran {times} times: {told}: {run:?}");
            assert!(well || (name == "first" && times == 0), "{told}: {run:?}");
        }
    }

    /// What the API server was asked to do, and did, for all who left.
    pub async fn nothing_was_done_twice(&self) {
        let mut calls = calls_of(&self.rollcall.identity("revoke"), self.begun).await;
        calls.extend(calls_of(&self.rollcall.identity("trim"), self.begun).await);
        let of = |verb: &str, what: &str, code: fn(u64) -> bool| {
            let its = |uri: &str| uri.split('?').next().unwrap_or_default().ends_with(what);
            let rehearsed = |uri: &str| uri.contains("dryRun=All");
            let calls = calls.iter().filter(|call| call.verb == verb && code(call.code));
            calls.filter(|call| its(&call.uri) && !rehearsed(&call.uri)).count()
        };
        // Of a call whose caller was killed meanwhile the log has a 504, whether it was carried out or not.
        let was_done = |verb: &str, what: &str, times: usize| {
            let (done, unknown) = (of(verb, what, |code| code < 300), of(verb, what, |code| code == 504));
            assert!(
                done <= times && times <= done + unknown,
                "{verb} {what}: {done} times, and perhaps {unknown} more"
            );
        };
        for id in STAYS + 1..=self.next {
            for (verb, what, times) in [
                ("delete", format!("/serviceaccounts/account-{id}"), 2),
                ("delete", format!("/rolebindings/alone-{id}"), 1),
                ("delete", format!("/rolebindings/robot-{id}"), 1),
                ("delete", format!("/rolebindings/room-{id}"), 1),
                ("delete", format!("/serviceaccounts/crew-{id}"), 1),
                (
                    "update",
                    format!("/rolebindings/shared-{id}"),
                    usize::from(!self.untrimmed.contains(&id.to_string())),
                ),
            ] {
                was_done(verb, &what, times);
            }
        }
        // An eviction is asked for again until the pod is gone, and names it by its uid. A pod that was made within the very second of its
        // account may have a token of the account before, and is replaced too.
        for (pod, uids) in self.pods.lock().unwrap().iter() {
            let most = if pod.starts_with("crew-") { 3 } else { 2 };
            assert!(uids.len() <= most, "{pod} was replaced more than once: {uids:?}");
        }
        let gone = usize::try_from(self.next - STAYS).unwrap();
        was_done("create", "/serviceaccounts", 2 * gone); // made again
        for word in OBJECTS {
            let theirs = format!("/{word}{STAYS}");
            assert_eq!(
                calls.iter().filter(|call| call.uri.contains(&theirs) && call.verb != "get").count(),
                0,
                "{theirs}"
            );
        }
    }
}

/// Whether the leaver was not taken out of the shared binding in time.
fn is_late(cut: &Revocation) -> bool {
    cut.status.iter().flat_map(|status| &status.remaining).any(|left| left.why == RemainingReason::NotTrimmed.as_str())
}
