use super::*;
use crate::employee::{HrId, ReportedStatus};

fn field(name: &str) -> ProfileField {
    ProfileField::named(name).unwrap()
}

fn refused(name: &str, mode: FieldMode) -> Option<String> {
    Modes::new([(&name.to_owned(), &mode)]).err().map(|why| why.to_string())
}

#[test]
fn a_field_of_a_policy_is_one_of_a_profile_and_what_decides_is_always_continuous() {
    for name in ProfileField::all().map(|field| field.to_string()).chain(["custom.badge".to_owned()]) {
        for mode in [FieldMode::Once, FieldMode::Continuous, FieldMode::Never] {
            let expected = (Fact::of_word(&name).is_some() && mode == FieldMode::Once).then(|| {
                format!("fields.{name}: is what the source says now, and nothing to edit: write Continuous or Never")
            });
            assert_eq!(refused(&name, mode), expected, "{name}");
        }
    }
    for name in DECIDING {
        assert_eq!(refused(name, FieldMode::Continuous), None, "{name}");
        for mode in [FieldMode::Once, FieldMode::Never] {
            let why = refused(name, mode).unwrap();
            assert!(why.starts_with(&format!("fields.{name}: state, dates, ids")), "{why}");
        }
    }
    for name in ["birthDate", "custom.", "custom.a b", "email", "Title"] {
        assert!(refused(name, FieldMode::Once).unwrap().contains("is no field; these are: displayName"), "{name}");
    }
}

#[test]
fn what_a_policy_does_not_name_is_kept_where_people_are_recognised_by_it_and_nothing_else() {
    let kept: Vec<_> =
        Modes::default().kept().iter().map(|(field, mode)| format!("{field}={}", mode.as_str())).collect();
    let usual = ["displayName", "manager", "department", "legalEntity"].map(|name| format!("{name}=Continuous"));
    assert_eq!(kept, usual);
    let named = Modes::default().with([(field("title"), FieldMode::Once), (field("manager"), FieldMode::Continuous)]);
    assert_eq!(named.written(), "title=Once", "what is usual is not written");
    let custom = named.with([(field("custom.badge"), FieldMode::Continuous), (field("manager"), FieldMode::Never)]);
    assert_eq!(Modes::from_written(&custom.written()), custom);
    assert_eq!(Modes::from_written("title=Twice,shoeSize=Once"), Modes::default());
}

#[test]
fn every_field_of_a_profile_is_taken_over_and_forgotten_alone() {
    let badge = CustomName::new("badge").unwrap();
    let mut ada = Employee::new(HrId("7".into()), "Ada".into(), "ada@example.com".into(), ReportedStatus::Silent);
    ada.employment_type = Some(EmploymentType::Intern);
    Text::ALL.iter().for_each(|text| ada.texts.set(*text, Some(text.as_str().into())));
    ada.texts.set_custom(&badge, Some("B7".into()));
    let in_profiles = ProfileField::all().filter(|field| !matches!(field, ProfileField::Account(_)));
    let all: Vec<_> = in_profiles.chain([ProfileField::Custom(badge)]).collect();
    let modes = Modes::default().with(all.iter().map(|field| (field.clone(), FieldMode::Continuous)));
    let whole = modes.profile(&ada, Some("p-1"), true);
    assert!(whole.fields().eq(all.iter().cloned()));
    for one in &all {
        let (mut alone, mut rest) = (Profile::default(), whole.clone());
        alone.take(one, &whole);
        rest.forget(one);
        assert_eq!((alone.fields().collect::<Vec<_>>(), rest.fields().count()), (vec![one.clone()], all.len() - 1));
        assert_eq!(alone.get(one), whole.get(one));
    }
    assert!(format!("{whole:?}").contains("badge") && !format!("{whole:?}").contains("B7"), "no value is printed");
}

#[test]
fn a_change_that_takes_something_away_is_counted_and_one_that_only_moves_is_not() {
    let of = |mode| Modes::default().with([(field("title"), mode)]);
    let mut follows = Profile::default();
    follows.texts.set(Text::Title, Some("Clerk".into()));
    let once = Imported { fields: [field("title")].into(), profile: follows.clone() };
    let none = (Profile::default(), Imported::default());
    let cases = [
        ((&follows, &none.1), FieldMode::Never, Some("title: Continuous to Never, values of 2 people are removed")),
        ((&follows, &none.1), FieldMode::Once, None),
        ((&follows, &none.1), FieldMode::Continuous, None),
        ((&none.0, &once), FieldMode::Never, Some("title: Once to Never, values of 2 people are removed")),
        (
            (&none.0, &once),
            FieldMode::Continuous,
            Some("title: Once to Continuous, values of 2 people are overwritten with HR's"),
        ),
        ((&none.0, &once), FieldMode::Once, None),
        ((&none.0, &none.1), FieldMode::Never, None),
    ];
    for (kept, to, expected) in cases {
        let losses = of(to).losses([(kept.0, Some(kept.1)); 2]);
        assert_eq!(losses.first().map(ToString::to_string).as_deref(), expected);
        let stands = of(to).without(&losses);
        assert!(stands.losses([(kept.0, Some(kept.1))]).is_empty(), "without its losses nothing is lost");
    }
}
