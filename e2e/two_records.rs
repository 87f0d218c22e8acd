//! One human with two HR records: what either record owns is in use until both have ended.

use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::people::People;
use crate::support::tokens::{Token, mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

/// A company, the tokens of a contractor's two accounts, and the name they sign in with.
struct Contractor {
    staff: People,
    tokens: Vec<(&'static str, Token)>,
    user: String,
}

impl Contractor {
    /// Person 7, with an account annotated by the HR id, one by the address, and a binding.
    async fn at(rollcall: &Installation) -> Self {
        let (apps, user) = (rollcall.target("apps"), rollcall.user("7"));
        rollcall.account_of("7", "apps", "by-id").await;
        rollcall.account("apps", "by-address", Some(&rollcall.address("7"))).await;
        rollcall.bind_users("apps", "sevens", std::slice::from_ref(&user)).await;
        let mut tokens = Vec::new();
        for account in ["by-id", "by-address"] {
            tokens.push((account, mint_unbound(&rollcall.admin, &apps, account).await));
        }
        let staff = rollcall.staff(1..11);
        rollcall.learn(&staff).await;
        Self { staff, tokens, user }
    }

    async fn still_works(&self, rollcall: &Installation) {
        for (account, token) in &self.tokens {
            assert!(still_works(token, &rollcall.target("apps"), account).await, "{account} works on");
        }
        assert!(rollcall.may_look(&self.user, "apps").await, "the binding stands");
    }

    async fn is_out(&self, rollcall: &Installation) {
        for (account, token) in &self.tokens {
            refused(account, token).await;
        }
        assert!(!rollcall.may_look(&self.user, "apps").await, "the binding is gone");
    }
}

#[tokio::test]
async fn a_contract_that_an_employment_follows_ends_nothing_until_that_ends_too() {
    let rollcall = Installation::new("contractor", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let seven = Contractor::at(&rollcall).await;

    let hired = seven.staff.clone().person("107").email(&rollcall.address("7"));
    rollcall.learn(&hired.clone().person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    seven.still_works(&rollcall).await;
    let plan = cut.status.unwrap().plan.unwrap();
    let why: Vec<&str> = plan.remaining.iter().map(|remaining| remaining.why.as_str()).collect();
    assert_eq!((plan.targets.len(), why), (0, vec!["WorksHere"; 3]));

    rollcall.learn(&hired.person("7").terminated().person("107").terminated()).await;
    let cut = rollcall.reaches("107", Operation::Cut, Phase::Revoked).await;
    seven.is_out(&rollcall).await;
    assert!(cut.spec.approval.is_none(), "it waited for nobody");
    assert_eq!(rollcall.revocations("7").await.len(), 1, "the record that ended first finds nothing later");
}

#[tokio::test]
async fn two_records_that_end_in_one_answer_end_everything_once() {
    let rollcall = Installation::new("two-jobs", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"lifecycle": {"termination": {"removeAfter": "2s"}}})).await;
    let seven = Contractor::at(&rollcall).await;
    let both = seven.staff.clone().person("107").email(&rollcall.address("7"));
    rollcall.learn(&both).await;
    seven.still_works(&rollcall).await;

    rollcall.learn(&both.person("7").terminated().person("107").terminated()).await;
    for id in ["7", "107"] {
        rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
    }
    seven.is_out(&rollcall).await;
    // Each account is removed after whichever of the two cuts recreated it.
    for account in ["by-id", "by-address"] {
        eventually(&format!("{account} is removed"), || async {
            rollcall.get_account("apps", account).await.is_none().then_some(())
        })
        .await;
    }
    let late = rollcall.all_revocations().await.into_iter().filter(|revocation| revocation.spec.late).count();
    assert_eq!(late, 0, "neither takes what the other made again for something new");
}
