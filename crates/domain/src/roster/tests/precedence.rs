//! Of a person with several records, each field comes from the first connection that has a value for it.

use super::records::answer;
use super::*;
use crate::profile::{FieldMode, ProfileField};

/// What a record says: title, phone and department, each empty where it says nothing of it.
fn says(id: &str, [title, phone, department]: [&str; 3]) -> Employee {
    let employee = Employee { work_email: format!("{id}@example.com"), ..employee(id) };
    [(Text::Title, title), (Text::Phone, phone), (Text::Department, department)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .fold(employee, |employee, (text, value)| employee.with(text, value))
}

/// A person with a record of each of three connections, `hq` before `sub`, and of `okta`, which only tells more.
struct Company(ClusterInventory);

impl Company {
    fn new(order: [&'static str; 2]) -> Self {
        let mut world = ClusterInventory::settled();
        world.order = vec!["okta", order[0], order[1]];
        world.roles = BTreeMap::from([("okta", Role::Corroborating)]);
        let kept = ["title", "phone"].map(|name| (ProfileField::named(name).unwrap(), FieldMode::Continuous));
        world.fields = Arc::new(Modes::default().with(kept));
        world.poll(&[says("7", ["", "", ""])], noon() - SignedDuration::from_hours(24));
        let known = world.known.get_mut(&HrId("7".into())).unwrap();
        known.records.extend(
            [("sub", "s7"), ("okta", "o7")]
                .map(|(connection, id)| RecordKey { connection: connection.into(), id: HrId(id.into()) }),
        );
        Self(world)
    }

    /// Title, phone, department and local part of the address, after these connections answered.
    fn after(&mut self, said: &[(&str, Employee)]) -> [String; 4] {
        let answers: Vec<_> = said
            .iter()
            .map(|(connection, employee)| answer(connection, std::slice::from_ref(employee), noon()))
            .collect();
        let plan = self.0.planned_over(&answers, noon());
        self.0.write(&plan, usize::MAX);
        assert!(self.0.planned_over(&answers, noon()).changes.is_empty(), "a second pass changes nothing");
        let profile = &self.0.entry("7").profile;
        let text = |text| profile.texts.get(text).unwrap_or_default().to_owned();
        let address = profile.work_email.as_deref().and_then(|address| address.split('@').next()).unwrap_or_default();
        [text(Text::Title), text(Text::Phone), text(Text::Department), address.to_owned()]
    }
}

#[test]
fn each_field_is_the_first_connections_that_has_a_value_for_it() {
    let hq = || ("hq", says("7", ["Clerk", "", ""]));
    let sub = || ("sub", says("s7", ["Manager", "2", ""]));
    let okta = || ("okta", says("o7", ["Guest", "3", "Tools"]));
    let ended = |(connection, employee): (&'static str, Employee)| (connection, employee.terminated());
    let unnamed = |(connection, employee): (&'static str, Employee)| {
        (connection, Employee { work_email: String::new(), ..employee })
    };
    let cases = [
        ("all of them", ["hq", "sub"], vec![hq(), sub(), okta()], ["Clerk", "2", "Tools", "7"]),
        ("in another order", ["sub", "hq"], vec![hq(), sub(), okta()], ["Manager", "2", "Tools", "s7"]),
        ("who only tells more comes last", ["hq", "sub"], vec![okta(), hq(), sub()], ["Clerk", "2", "Tools", "7"]),
        ("one has ended", ["hq", "sub"], vec![ended(hq()), sub(), okta()], ["Manager", "2", "Tools", "s7"]),
        (
            "all have ended, the one that decides first",
            ["hq", "sub"],
            vec![ended(hq()), ended(sub()), okta()],
            ["Manager", "2", "Tools", "s7"],
        ),
        ("one without an address", ["hq", "sub"], vec![unnamed(hq()), sub(), okta()], ["Clerk", "2", "Tools", "s7"]),
    ];
    for (what, order, said, expected) in cases {
        assert_eq!(Company::new(order).after(&said), expected, "{what}");
    }
}

#[test]
fn what_a_connection_said_stays_until_it_answers_again_also_after_a_start() {
    let mut company = Company::new(["hq", "sub"]);
    let all = [
        ("hq", says("7", ["", "", ""])),
        ("sub", says("s7", ["Manager", "2", ""])),
        ("okta", says("o7", ["", "", "Tools"])),
    ];
    let before = company.after(&all);
    for one in &all {
        assert_eq!(company.after(std::slice::from_ref(one)), before, "only {} has answered", one.0);
    }
    assert_eq!(company.after(&[]), before, "nobody has");
    let changed = ("sub", says("s7", ["Director", "", ""]));
    assert_eq!(company.after(&[all[0].clone(), changed, all[2].clone()]), ["Director", "", "Tools", "7"]);
}
