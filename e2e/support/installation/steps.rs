//! What stories do with an installation: people leave, plans are approved, everything is stopped.

use kube::api::ListParams;
use rollcall::api::person::State;

use super::*;

impl Installation {
    /// An installation that runs under this policy, in whose target `apps` person 7 of ten owns the account `seven`.
    pub async fn with_seven(story: &str, consent: Consent, policy: Value) -> (Self, Running, People) {
        let rollcall = Self::new(story, &[("apps", consent)]).await;
        let running = rollcall.run().await;
        rollcall.connect(json!({})).await;
        rollcall.policy(policy).await;
        rollcall.account_of("7", "apps", "seven").await;
        let staff = rollcall.staff(1..11);
        rollcall.learn(&staff).await;
        (rollcall, running, staff)
    }

    /// Person 7 of these leaves, and is cut.
    pub async fn seven_leaves(&self, staff: &People) -> Revocation {
        self.learn(&staff.clone().person("7").terminated()).await;
        self.reaches("7", Operation::Cut, Phase::Revoked).await
    }

    /// Writes the file, polls, and waits until the Persons show that answer.
    pub async fn learn(&self, people: &People) {
        self.file(&people.csv()).await;
        self.settles(self.poll().await).await;
    }

    /// The same of the second connection.
    pub async fn learn_more(&self, people: &People) {
        self.file_of("more", &people.csv()).await;
        self.settles(self.poll_of(&format!("{}-more", self.connection)).await).await;
    }

    /// Waits until the Persons show the response that this connection trusts.
    pub async fn settles(&self, connection: HRConnection) {
        let name = connection.name_any();
        let trusted = connection.status.and_then(|status| status.last_trusted).expect("a trusted response");
        let policies: Api<SyncPolicy> = self.api();
        eventually("the Persons show the trusted response", || async {
            let all = policies.list(&ListParams::default()).await.unwrap().items;
            let reads = |policy: &SyncPolicy| policy.spec.connections.iter().any(|one| one.name == name);
            let shows = |policy: SyncPolicy| {
                let (generation, status) = (policy.metadata.generation, policy.status?);
                let followed = status.observed_generation == generation; // the same answer may be shown of an older spec
                let settled = followed && status.conditions.iter().any(|c| c.is(ConditionType::Baseline, Status::True));
                let shown = status.connections.iter().find(|taken| taken.name == name)?.response.as_ref();
                (settled && shown == Some(&trusted.response)).then_some(())
            };
            let all: Vec<_> = all.into_iter().filter(reads).map(shows).collect();
            (!all.is_empty() && all.iter().all(Option::is_some)).then_some(())
        })
        .await;
    }

    /// Waits until a person has this state for this reason, which is a word of the table of states.
    pub async fn becomes(&self, id: &str, state: State, why: &str) {
        eventually(&format!("{id} is as {why} says"), || async {
            let employment = self.person(id).await?.status?.employment?;
            ((employment.state, employment.why.as_str()) == (state, why)).then_some(())
        })
        .await;
    }

    /// Stops every act, by the command.
    pub fn stop(&self, reason: &str) {
        self.succeeds(&["stop", "--reason", reason]);
    }

    /// Lifts the stop.
    pub fn go_on(&self) {
        self.succeeds(&["stop", "--lift"]);
    }

    /// Approves the plan that a Revocation shows, by the command.
    pub fn approve(&self, revocation: &Revocation) {
        self.succeeds(&["approve", &revocation.name_any(), "--yes"]);
    }

    /// Approves a whole batch, by the command.
    pub fn approve_batch(&self, batch: &str) {
        self.succeeds(&["approve", "--batch", batch, "--yes"]);
    }
}
