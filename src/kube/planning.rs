//! How a plan is drawn, the same for control, which draws it from what it watches, and for `kubectl rollcall plan`, which
//! lists: from what names somebody, by what the namespaces of that consent to, by what runs in those that do.

use std::collections::{BTreeMap, BTreeSet};

use domain::handover::Heir;
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{self, Account, Binding, ClusterInventory, Consent, Operation, Plan, Protected, rotate};

/// A plan on its way: what is asked next follows from what is known.
#[derive(Debug)]
pub struct Planning {
    person: PersonFacts,
    index: Index,
    recreated: BTreeSet<String>,
    world: ClusterInventory,
}

impl Planning {
    /// Begins with what names somebody. `recreated` are the uids that the cut gave to accounts; a removal takes no others.
    #[must_use]
    pub fn of(
        person: PersonFacts,
        index: Index,
        (accounts, bindings): (Vec<Account>, Vec<Binding>),
        recreated: BTreeSet<String>,
        own_namespaces: Vec<String>,
    ) -> Self {
        let world = ClusterInventory { accounts, bindings, own_namespaces, ..ClusterInventory::default() };
        Self { person, index, recreated, world }
    }

    /// Takes in the annotated Secrets that may be this person's.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Vec<rotate::Secret>) -> Self {
        self.world.secrets = secrets;
        self
    }

    /// Where anything of this person lies, and consent is to be asked for; `""` stands for the whole cluster's bindings.
    #[must_use]
    pub fn places(&self) -> BTreeSet<String> {
        let claimed = |account: &&Account| self.index.claim(&account.owner, &self.person) != Claim::NotTheirs;
        let theirs =
            self.world.accounts.iter().filter(|account| claimed(account) || self.recreated.contains(&account.uid));
        let bound = self.world.bindings.iter().map(|binding| binding.namespace.clone());
        let secrets = self.world.secrets.iter().map(|secret| secret.namespace.clone());
        theirs.map(|account| account.namespace.clone()).chain(bound).chain(secrets).collect()
    }

    /// A place consents to this.
    pub fn consents(&mut self, place: String, consent: Consent) {
        self.world.consents.insert(place, consent);
    }

    /// Namespaces that consented, where it is to be looked what runs.
    #[must_use]
    pub fn consenting(&self) -> Vec<String> {
        let given = self.world.consents.iter().filter(|(place, consent)| consent.accounts && !place.is_empty());
        given.map(|(place, _)| place.clone()).collect()
    }

    /// Names of accounts by namespace that something runs as; a namespace that could not be read is absent.
    pub fn runs(&mut self, consumers: BTreeMap<String, BTreeSet<String>>) {
        self.world.consumers = consumers;
    }

    /// Who comes next for accounts that workloads run as, by uid; and whether they are handed over, in a plan that acts only once
    /// approved.
    pub fn hands_over(&mut self, heirs: BTreeMap<String, Option<Heir>>, acts: bool) {
        self.world.heirs = heirs;
        self.world.hands_over = acts;
    }

    /// Uids of accounts whose owner annotation nothing is to rest on before somebody approves.
    pub fn fresh(&mut self, uids: BTreeSet<String>) {
        self.world.fresh = uids;
    }

    /// Draws it.
    #[must_use]
    pub fn draw(&self, operation: Operation, rule: &str, protected: &Protected) -> Plan {
        let Self { person, index, recreated, world } = self;
        match operation {
            Operation::Cut => plan::cut(person, rule, index, world, protected),
            Operation::Remove => plan::remove(person, rule, recreated, index, world, protected),
            Operation::Freeze => plan::freeze(person, rule, index, world, protected),
        }
    }

    /// Draws the first cut of a termination: with the user names that are frozen before it.
    #[must_use]
    pub fn draw_first(&self, rule: &str, protected: &Protected) -> Plan {
        self.draw(Operation::Cut, rule, protected).freezing(&self.person, rule, &self.index, protected)
    }
}
