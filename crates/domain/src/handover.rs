//! Hand-over: whose an account that workloads run as is to be once its owner has left.
//!
//! Asked in the order of the policy: the backup that the account names, the leaver's manager and their managers, the team that the
//! account names. Who does not work here is passed over. Nobody is guessed: what names two people names nobody, and where nobody is
//! left the account has no next owner.

use std::collections::BTreeSet;

use crate::ownership::{Index, Owners, PersonFacts};

/// What the owner annotation of a team's account begins with.
const TEAM: &str = "team:";

/// Longest owner annotation that is written.
pub const MAX_OWNER: usize = 256;

/// Where a next owner is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The annotation `rollcall.dev/backup-owner` of the account.
    Backup,
    /// The leaver's manager, else that one's.
    Manager,
    /// The annotation `rollcall.dev/team` of the account.
    Team,
}

impl Rule {
    /// What says so, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Backup => "its annotation rollcall.dev/backup-owner",
            Self::Manager => "the leaver's manager, or theirs",
            Self::Team => "its annotation rollcall.dev/team",
        }
    }
}

/// What an account says of who comes next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nominated {
    /// Its annotation `rollcall.dev/backup-owner`.
    pub backup: Option<String>,
    /// Its annotation `rollcall.dev/team`.
    pub team: Option<String>,
}

/// What is asked of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colleague {
    /// Whether they work here today: neither gone nor away, not still to come, and of nobody in doubt.
    pub works: bool,
    /// Name of their manager's Person.
    pub manager: Option<String>,
    /// The owner annotation that names them.
    pub owner: String,
}

/// A next owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heir {
    /// The owner annotation that is to be written.
    pub owner: String,
    /// What says so.
    pub by: Rule,
}

/// The next owner of an account; `None` where nobody is left. `who` knows a Person by name.
#[must_use]
pub fn heir(
    order: &[Rule],
    nominated: &Nominated,
    leaver: &PersonFacts,
    index: &Index,
    who: impl Fn(&str) -> Option<Colleague>,
) -> Option<Heir> {
    let same: BTreeSet<&str> = index.records(leaver).chain([leaver]).map(|record| record.uid.as_str()).collect();
    let fits = |person: &PersonFacts| {
        let colleague = who(&person.name).filter(|one| one.works && one.owner.chars().count() <= MAX_OWNER)?;
        let names = matches!(index.resolve(&colleague.owner), Owners::One(one) if one.uid == person.uid);
        (names && person.left.is_none() && !same.contains(person.uid.as_str())).then_some(colleague.owner)
    };
    order.iter().find_map(|rule| {
        let owner = match rule {
            Rule::Backup => match index.resolve(nominated.backup.as_deref()?) {
                Owners::One(person) => fits(person),
                Owners::Nobody | Owners::Several => None,
            },
            Rule::Manager => manager(leaver, index, &who, fits),
            Rule::Team => team(nominated.team.as_deref()?),
        }?;
        Some(Heir { owner, by: *rule })
    })
}

/// Whether who was approved as the next owner may still be: a team always, a person who has not left and is not the leaver.
#[must_use]
pub fn still_fits(owner: &str, leaver: &PersonFacts, index: &Index) -> bool {
    let same =
        |person: &PersonFacts| person.uid == leaver.uid || index.records(leaver).any(|one| one.uid == person.uid);
    match index.resolve(owner) {
        Owners::One(person) => person.left.is_none() && !same(person),
        Owners::Nobody => owner.starts_with(TEAM),
        Owners::Several => false,
    }
}

/// The first manager above the leaver who fits. A company's data may run in a circle: each is asked once.
fn manager(
    leaver: &PersonFacts,
    index: &Index,
    who: &impl Fn(&str) -> Option<Colleague>,
    fits: impl Fn(&PersonFacts) -> Option<String>,
) -> Option<String> {
    let mut asked = BTreeSet::from([leaver.name.clone()]);
    let mut next = who(&leaver.name)?.manager;
    while let Some(name) = next {
        if !asked.insert(name.clone()) {
            return None;
        }
        if let Some(owner) = index.person(&name).and_then(&fits) {
            return Some(owner);
        }
        next = who(&name)?.manager;
    }
    None
}

/// What names a team and no person: nobody's exit ends what is a team's.
fn team(named: &str) -> Option<String> {
    let name = named.trim();
    let plain = !name.is_empty() && !name.contains('@') && !name.chars().any(char::is_control);
    let owner = format!("{TEAM}{name}");
    (plain && owner.chars().count() <= MAX_OWNER).then_some(owner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ownership::tests::person;

    /// Ada leaves. Her manager is Bea, Bea's is Cem, Cem's is Dan.
    struct Company(BTreeMap<&'static str, (bool, Option<&'static str>)>);

    impl Company {
        fn new() -> Self {
            Self(BTreeMap::from([
                ("ada", (false, Some("bea"))),
                ("bea", (true, Some("cem"))),
                ("cem", (true, Some("dan"))),
                ("dan", (true, None)),
                ("eve", (true, None)),
            ]))
        }

        fn away(mut self, id: &'static str) -> Self {
            self.0.entry(id).and_modify(|one| one.0 = false);
            self
        }

        fn manager(mut self, of: &'static str, manager: Option<&'static str>) -> Self {
            self.0.entry(of).and_modify(|one| one.1 = manager);
            self
        }

        fn heir(&self, order: &[Rule], backup: Option<&str>, team: Option<&str>) -> Option<String> {
            let people: Vec<PersonFacts> = self.0.keys().map(|id| person(id)).collect();
            let nominated = Nominated { backup: backup.map(str::to_owned), team: team.map(str::to_owned) };
            let who = |name: &str| {
                let (works, manager) = *self.0.get(name.strip_prefix("p-")?)?;
                let owner = format!("id:hq/{}", name.strip_prefix("p-")?);
                Some(Colleague { works, manager: manager.map(|id| format!("p-{id}")), owner })
            };
            heir(order, &nominated, &person("ada"), &Index::new(people), who).map(|heir| heir.owner)
        }
    }

    /// The company, where it is looked for, what the account says, and who it is.
    type Case =
        (&'static str, Company, &'static [Rule], Option<&'static str>, Option<&'static str>, Option<&'static str>);

    const ALL: [Rule; 3] = [Rule::Backup, Rule::Manager, Rule::Team];

    #[test]
    fn the_next_owner_is_the_backup_the_next_manager_who_works_here_or_the_team() {
        let company = Company::new;
        let cases: Vec<Case> = vec![
            ("the backup", company(), &ALL, Some("eve@example.com"), Some("web"), Some("id:hq/eve")),
            ("a backup who is away", company().away("eve"), &ALL, Some("id:hq/eve"), None, Some("id:hq/bea")),
            ("a backup whom nobody knows", company(), &ALL, Some("id:hq/none"), None, Some("id:hq/bea")),
            ("the leaver as their own backup", company(), &ALL, Some("id:hq/ada"), None, Some("id:hq/bea")),
            ("the manager", company(), &ALL, None, Some("web"), Some("id:hq/bea")),
            ("a manager who left too", company().away("bea"), &ALL, None, None, Some("id:hq/cem")),
            ("two of them", company().away("bea").away("cem"), &ALL, None, None, Some("id:hq/dan")),
            (
                "managers in a circle",
                company().away("bea").away("cem").manager("cem", Some("bea")),
                &ALL,
                None,
                Some("web"),
                Some("team:web"),
            ),
            ("who manages themself", company().manager("ada", Some("ada")), &ALL, None, None, None),
            ("no manager, and a team", company().manager("ada", None), &ALL, None, Some(" web "), Some("team:web")),
            ("nobody is left", company().away("bea").away("cem").away("dan"), &ALL, None, None, None),
            ("a manager whom nobody knows", company().manager("ada", Some("gone")), &ALL, None, None, None),
            ("what looks like an address is no team", company().manager("ada", None), &ALL, None, Some("a@b"), None),
            ("the team first", company(), &[Rule::Team, Rule::Manager], None, Some("web"), Some("team:web")),
            ("only the team", company(), &[Rule::Team], Some("id:hq/eve"), None, None),
            ("nobody is asked", company(), &[], Some("id:hq/eve"), Some("web"), None),
        ];
        for (what, company, order, backup, team, expected) in cases {
            assert_eq!(company.heir(order, backup, team).as_deref(), expected, "{what}");
        }
    }

    #[test]
    fn another_record_of_the_leaver_is_no_next_owner_and_neither_is_a_name_of_two() {
        let same = |id: &str| PersonFacts { address: Some("ada@example.com".into()), ..person(id) };
        let (ada, again) = (same("ada"), same("ada-again"));
        let both = |mut one: PersonFacts| {
            one.aliases.push("email:desk@example.com".into());
            one
        };
        let index = Index::new(vec![ada.clone(), again, both(person("bea")), both(person("cem"))]);
        let who = |name: &str| {
            let owner = format!("id:hq/{}", name.strip_prefix("p-")?);
            Some(Colleague { works: true, manager: None, owner })
        };
        for backup in ["id:hq/ada-again", "desk@example.com"] {
            let nominated = Nominated { backup: Some(backup.into()), team: None };
            assert_eq!(heir(&ALL, &nominated, &ada, &index, who), None, "{backup}");
        }
    }

    #[test]
    fn who_was_approved_may_have_left_by_now() {
        let gone = PersonFacts { left: Some(jiff::Timestamp::UNIX_EPOCH), ..person("bea") };
        let index = Index::new(vec![person("ada"), gone, person("cem")]);
        for (owner, expected) in
            [("id:hq/cem", true), ("id:hq/bea", false), ("id:hq/ada", false), ("id:hq/none", false), ("team:web", true)]
        {
            assert_eq!(still_fits(owner, &person("ada"), &index), expected, "{owner}");
        }
    }

    #[test]
    fn what_is_a_teams_is_nobodys_whose_exit_would_end_it() {
        let index = Index::new(vec![person("ada")]);
        assert_eq!(index.resolve("team:ada"), Owners::Nobody);
        assert_eq!(index.resolve(&team("web").unwrap()), Owners::Nobody);
    }
}
