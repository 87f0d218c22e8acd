//! What must hold of what is done: of every plan that every gate let through, of every name that is frozen, and of every
//! human's word.

use super::*;

impl Model {
    /// What must hold of a plan that every gate let through.
    pub(in crate::histories) fn released(&mut self, release: &Release, cluster: &Cluster) -> Result<(), String> {
        let today = madrid(cluster.now);
        let Some(person) = cluster.person(&release.person) else { return Err("a Person that is gone".to_owned()) };
        let entry = person.known.entry.as_ref().ok_or("a Person of whom nothing is known")?;
        let who = person.called();
        check(!is_held(person, cluster.now), || format!("{who} was released under a hold"))?;
        self.done.insert(release.revocation.clone());
        check(!release.rejected, || format!("{who} was released, and a human said no"))?;
        let theirs = deciding(&person.known.records, cluster);
        self.has_reason(release, person, cluster)?;
        for target in &release.done {
            self.is_nobody_elses(target.kind, &target.name, release.trigger, person, cluster)?;
        }
        let approved = release.approved.is_some_and(|at| cluster.now.duration_since(at) < APPROVALS_LAST);
        if release.empty || approved {
            return Ok(());
        }
        check(!release.late, || format!("{who} was released for what turned up later, and nobody approved"))?;
        let came = match release.trigger {
            Trigger::Termination => self.came_as_leavers.contains(&release.person),
            Trigger::Leave => self.came_on_leave.contains(&release.person),
            Trigger::ByHand => false,
        };
        check(!came, || format!("{who} came as a leaver, or on leave, and nobody approved"))?;
        let policy = &cluster.policies[release.policy];
        let said_in_scope = |said: &BTreeMap<Record, Said>, record: &Record| {
            said.get(record).is_some_and(|said| policy.has(&said.department))
        };
        let in_scope = |record: &Record| said_in_scope(&self.said, record) || said_in_scope(&self.before, record);
        let asks_scope = release.trigger != Trigger::ByHand;
        check(!asks_scope || theirs.iter().any(in_scope), || format!("{who} is out of scope, and nobody approved"))?;
        let announced = entry.employment.left.as_ref().is_some_and(|left| left.announced);
        if announced && release.trigger == Trigger::Termination {
            let twice = |record: &Record| self.said.get(record).is_some_and(|said| said.announced_twice(today));
            return check(theirs.iter().any(twice), || format!("{who} counts as announced, and was not"));
        }
        check(self.counted.contains_key(&release.revocation), || format!("{who} was released before being counted"))
    }

    /// Whether what a Revocation was made for is so: they have left, are on leave, or a human of their policy asked for it.
    fn has_reason(&mut self, release: &Release, person: &Standing, cluster: &Cluster) -> Result<(), String> {
        let (who, entry) = (person.called(), person.known.entry.as_ref());
        let state = entry.map(|entry| entry.employment.state);
        let managed = entry.and_then(|entry| cluster.policy(&entry.policy));
        match release.trigger {
            Trigger::Termination => {
                check(state == Some(State::Terminated), || format!("{who} is {state:?}, and was released"))?;
                let by = self.ended_by.entry(person.uid.clone()).or_insert(release.policy);
                check(release.late || *by == release.policy, || format!("two policies end the access of {who}"))
            }
            Trigger::Leave => {
                let on_leave = matches!(state, Some(State::Leave | State::Suspended));
                check(on_leave, || format!("{who} is {state:?}, and was released for a leave"))?;
                check(managed == Some(release.policy), || format!("{who} is another policy's"))?;
                let by_word = matches!(word(person, cluster.now), Some(Says::Leave | Says::Suspended));
                let mut theirs = deciding(&person.known.records, cluster).into_iter();
                let works = !by_word && theirs.any(|record| self.is_at_work(&record, cluster));
                check(!works, || format!("{who} was released for a leave, and works"))
            }
            Trigger::ByHand => {
                let in_scope = state != Some(State::OutOfScope);
                check(in_scope && managed == Some(release.policy), || format!("{who} is not this policy's"))
            }
        }
    }

    /// Nothing that is done is done to anybody else who is known to work here, nor to who is at work and meant to be on leave.
    fn is_nobody_elses(
        &self,
        kind: Kind,
        name: &str,
        trigger: Trigger,
        person: &Standing,
        cluster: &Cluster,
    ) -> Result<(), String> {
        let own = records(&person.known.records);
        for record in self.named_by(kind, name, cluster) {
            let works = match (trigger, own.contains(&record)) {
                (Trigger::Termination, _) | (_, false) => self.works(&record, person, cluster),
                (Trigger::Leave | Trigger::ByHand, true) => false, // asked apart
            };
            check(!works, || format!("{name} of {} is {}'s too, who works here", person.called(), record.1))?;
        }
        Ok(())
    }

    /// Whether the human of a record is known to work here. Of who is held, nobody says otherwise.
    fn works(&self, record: &Record, person: &Standing, cluster: &Cluster) -> bool {
        let today = madrid(cluster.now);
        let latest = self.latest.map_or(today, |latest| latest.max(today));
        let of_it: Vec<&Standing> =
            cluster.people.iter().filter(|one| records(&one.known.records).contains(record)).collect();
        if of_it.iter().any(|one| one.uid != person.uid && is_held(one, cluster.now)) {
            return true;
        }
        if let Some(says) = of_it.iter().find_map(|one| word(one, cluster.now)) {
            return says != Says::Leaves;
        }
        // Who had left by a clock that was set back since has left.
        let has_left = |one: &&Standing| one.known.entry.as_ref().is_some_and(|entry| entry.employment.left.is_some());
        let today = if of_it.iter().any(has_left) { latest } else { today };
        // Of one that begins later, its human's other records tell whether it counts.
        let works = |said: &BTreeMap<Record, Said>| {
            said.get(record).is_none_or(|said| !said.ended(today) && (said.at >= said.start.unwrap_or(said.at)))
        };
        works(&self.said) && works(&self.before)
    }

    fn is_at_work(&self, record: &Record, cluster: &Cluster) -> bool {
        let today = madrid(cluster.now);
        let at_work = |said: &BTreeMap<Record, Said>| said.get(record).is_some_and(|said| said.is_at_work(today));
        cluster.role(&record.0) == Role::Employment && at_work(&self.said) && at_work(&self.before)
    }

    /// What must hold of what is frozen: nobody's who works here; and of who was on leave, no longer than that.
    pub(in crate::histories) fn frozen(&self, cluster: &Cluster) -> Result<(), String> {
        check(cluster.list_is_true(), || "a Revocation that is over holds a frozen name".to_owned())?;
        for (one, name) in cluster.frozen() {
            let Some(person) = cluster.person_of(one) else { continue };
            self.is_lifted_in_time(one, person, cluster)?;
            let account = name.strip_prefix("system:serviceaccount:team:");
            let (kind, name) = account.map_or((Kind::User, name), |account| (Kind::ServiceAccount, account));
            self.is_nobody_elses(kind, name, Trigger::ByHand, person, cluster)?;
        }
        Ok(())
    }

    /// Who is at work by a record, in scope and undisputed, is frozen no longer, unless a human said so.
    fn is_lifted_in_time(&self, one: &Revocation, person: &Standing, cluster: &Cluster) -> Result<(), String> {
        let Some(entry) = person.known.entry.as_ref().filter(|_| one.trigger == Trigger::Leave) else { return Ok(()) };
        let untold = entry.employment.why == Why::PolicyConflict || entry.employment.state == State::Terminated;
        let word = word(person, cluster.now);
        let mut theirs = deciding(&person.known.records, cluster).into_iter();
        let works = match word {
            Some(says) => says == Says::Active,
            None => theirs.any(|record| self.is_at_work(&record, cluster)),
        };
        check(untold || !works, || format!("{} works, and is frozen", person.called()))
    }

    /// What must hold of everybody after a whole pass: a human's word counts while it stands, and no longer.
    pub(in crate::histories) fn stands(&self, cluster: &Cluster) -> Result<(), String> {
        let absorbed = |one: &Standing| {
            let by = |other: &Standing| one.known.records.iter().all(|record| other.known.records.contains(record));
            cluster.people.iter().any(|other| other.uid != one.uid && by(other))
        };
        for one in cluster.people.iter().filter(|one| !absorbed(one)) {
            let Some(entry) = &one.known.entry else { continue };
            let (state, why) = (entry.employment.state, entry.employment.why);
            let says = match why {
                Why::Declared => Some(Says::Leaves),
                Why::DeclaredActive => Some(Says::Active),
                Why::DeclaredLeave => Some(Says::Leave),
                Why::DeclaredSuspended => Some(Says::Suspended),
                _ => None,
            };
            let word = word(one, cluster.now);
            let stands = says.is_none() || says == word;
            check(stands, || format!("{} is {state:?} by a word that no longer stands", one.called()))?;
            let untold = entry.employment.out.is_some() || why == Why::PolicyConflict;
            let obeyed = word.is_none() || says == word || untold;
            check(obeyed, || format!("{} is {state:?}, and a human says {word:?}", one.called()))?;
        }
        Ok(())
    }
}
