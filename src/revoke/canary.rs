//! A canary: a short-lived credential of the account, made before the act, to be seen refused after it.
//!
//! The API server checks a ServiceAccount's token by the account's uid, so one refused token of that uid proves every
//! token of that uid refused. Making one is becoming the account: only where the namespace consented to that. The
//! token stays in memory and is never written anywhere.

use crate::kube::named::Api;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec, TokenReview, TokenReviewSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::PostParams;
use secrecy::{ExposeSecret, SecretString};

use super::Context;
use super::act::is_admission;
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use domain::plan::Target;

/// Seconds a canary lives; the API server's minimum.
const LIFE: i64 = 600;

/// A credential of one account.
pub struct Canary {
    token: SecretString,
    audiences: Vec<String>,
}

impl std::fmt::Debug for Canary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canary")
    }
}

/// Makes a canary and sees it accepted; `None` where the namespace has not consented, or it would not work anyway.
pub async fn mint(ctx: &Context, target: &Target) -> Option<Canary> {
    let api: Api<ServiceAccount> = Api::namespaced(ctx.client.clone(), &target.namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec { expiration_seconds: Some(LIFE), ..TokenRequestSpec::default() },
        ..TokenRequest::default()
    };
    if ctx.shared.makes_no_tokens(&target.namespace) {
        return None;
    }
    let minted = match call("mint a canary", api.create_token_request(&target.name, &request)).await {
        Ok(minted) => minted,
        Err(fault) => {
            if fault.is_forbidden() && !is_admission(&fault) {
                ctx.shared.refused_a_token(&target.namespace);
            }
            return None;
        }
    };
    let token = SecretString::from(minted.status?.token);
    let answer = review(ctx.client.clone(), &token, None).await.ok()?;
    (answer.accepted && answer.uid.as_deref() == Some(target.uid.as_str()))
        .then_some(Canary { token, audiences: answer.audiences })
}

/// Whether the API server still accepts the canary, asked past its cache: an audience never used before makes a cache
/// key never used before, so the validators really run.
pub async fn accepted_fresh(ctx: &Context, canary: &Canary) -> Result<bool, Fault> {
    let unique = crate::kube::calls::now().as_nanosecond();
    let mut audiences = canary.audiences.clone();
    audiences.push(format!("rollcall.dev/verify-{}-{unique:x}", ctx.me));
    accepted(ctx, canary, Some(&audiences)).await
}

/// Whether an ordinary request would be accepted: may be the cache's answer, for ten seconds.
pub async fn accepted_plain(ctx: &Context, canary: &Canary) -> Result<bool, Fault> {
    accepted(ctx, canary, None).await
}

/// Whether any of the API servers accepts it.
async fn accepted(ctx: &Context, canary: &Canary, audiences: Option<&[String]>) -> Result<bool, Fault> {
    let ask = async |client: Client| {
        Ok::<_, Fault>(review(client, &canary.token, audiences.map(<[String]>::to_vec)).await?.accepted)
    };
    ctx.servers().await.any(&ctx.client, ask).await
}

struct Answer {
    accepted: bool,
    uid: Option<String>,
    audiences: Vec<String>,
}

async fn review(client: Client, token: &SecretString, audiences: Option<Vec<String>>) -> Result<Answer, Fault> {
    let api: Api<TokenReview> = Api::all(client);
    let review = TokenReview {
        spec: TokenReviewSpec { token: Some(token.expose_secret().to_owned()), audiences },
        ..TokenReview::default()
    };
    let status = call("review a canary", api.create(&PostParams::default(), &review)).await?.status.unwrap_or_default();
    Ok(Answer {
        accepted: status.authenticated.unwrap_or(false),
        uid: status.user.and_then(|user| user.uid),
        audiences: status.audiences.unwrap_or_default(),
    })
}
