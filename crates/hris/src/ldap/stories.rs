//! Directories read as a whole, over TLS on this machine: a server that says what it is told to, with every lie there is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::civil::date;
use test_tls::Authority;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::message::answers::*;
use super::*;
use crate::{FetchCache, Fetched, Source, authorities, check, look};
use domain::employee::{Manager, ReportedStatus};
use domain::needs::Needs;

const TODAY: Date = Date::constant(2026, 3, 2);
const LONG: Duration = Duration::from_hours(1);
/// What the tests sign in with.
const SECRET: &str = "s3cret-of-the-bind";

/// What a server answers to one request after another, and whether it goes on after the last.
#[derive(Clone)]
struct Script {
    answers: Vec<Vec<u8>>,
    start_tls: bool,
}

/// A sign-in that succeeds, then these answers.
fn signed_in(answers: impl IntoIterator<Item = Vec<u8>>) -> Script {
    let first = [bound(1, 0), done(2, 0, Some("dn:cn=rollcall"))];
    Script { answers: first.into_iter().chain(answers).collect(), start_tls: false }
}

/// A server, where it is, and what it was asked.
struct Server {
    port: u16,
    authority: Authority,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Server {
    async fn start(script: Script) -> Self {
        Self::certified(script, None).await
    }

    /// One that wants its clients certified by this authority.
    async fn certified(script: Script, wanted: Option<&Authority>) -> Self {
        let authority = Authority::new();
        let config = authority.server("localhost", wanted);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut answers = script.answers.into_iter();
            if script.start_tls {
                let request = request(&mut stream).await.unwrap();
                heard.lock().unwrap().push(request);
                stream.write_all(&answers.next().unwrap()).await.unwrap();
            }
            let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return };
            for answer in answers {
                let Some(request) = request(&mut stream).await else { return };
                heard.lock().unwrap().push(request);
                let _ = stream.write_all(&answer).await;
            }
            let _ = stream.shutdown().await;
        });
        Self { port, authority, asked }
    }

    fn network(&self) -> Network {
        let authorities = authorities(self.authority.pem().as_bytes()).unwrap();
        Network { allow_private_addresses: true, authorities, ..Network::default() }
    }

    fn ldap(&self, kind: LdapKind) -> Ldap {
        Ldap {
            mapping: directory(kind, Status::Suspended, &BTreeMap::new()).unwrap(),
            host: "localhost".to_owned(),
            port: self.port,
            start_tls: false,
            base: "dc=example,dc=com".to_owned(),
            scope: Scope::Subtree,
            filter: None,
            login: LdapLogin::Password { dn: "cn=rollcall".to_owned(), password: SECRET.into() },
            page_size: 2,
        }
    }

    async fn read(&self, ldap: Ldap) -> Result<Read, Failure> {
        read(Source::Ldap(Box::new(ldap)), &self.network()).await
    }

    /// The attributes that the search asked for.
    fn asked_for(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let mut message = ber::Reader(ber::Reader(asked.last().unwrap()).next(ber::SEQUENCE).unwrap());
        message.next(ber::INTEGER).unwrap();
        let mut search = ber::Reader(message.next(0x63).unwrap());
        let list = (0..8).map(|_| search.any().unwrap().1).last().unwrap();
        let mut list = ber::Reader(list);
        let mut names = Vec::new();
        while !list.ended() {
            names.push(String::from_utf8(list.next(ber::OCTETS).unwrap().to_vec()).unwrap());
        }
        names
    }
}

/// The next request of a client.
async fn request<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Ok(Some((head, length))) = ber::size(&bytes)
            && bytes.len() == head + length
        {
            return Some(bytes);
        }
        bytes.push(stream.read_u8().await.ok()?);
    }
}

async fn read(source: Source, network: &Network) -> Result<Read, Failure> {
    check(&source).unwrap();
    match look(&source, network, LONG, TODAY, &mut FetchCache::once()).await? {
        Fetched::New(read) => Ok(*read),
        Fetched::Same | Fetched::Nothing(_) => panic!("there is an answer"),
    }
}

fn guid(number: u8) -> [u8; 16] {
    [number; 16]
}

/// Attributes of an entry, each with its values.
type Attributes = &'static [(&'static str, &'static [&'static [u8]])];

/// Somebody in Active Directory.
fn somebody(id: u32, number: u8, name: &str, control: &str, more: Attributes) -> Vec<u8> {
    let (guid, mail) = (guid(number), format!("{name}@example.com"));
    let mut attributes: Vec<(&str, &[&[u8]])> = vec![];
    let (guid, display, mail, control) =
        ([guid.as_slice()], [name.as_bytes()], [mail.as_bytes()], [control.as_bytes()]);
    attributes.extend([
        ("objectGUID", guid.as_slice()),
        ("displayName", display.as_slice()),
        ("mail", mail.as_slice()),
        ("useraccountcontrol", control.as_slice()), // a server spells an attribute as it likes
    ]);
    attributes.extend(more);
    found(id, &format!("CN={name},OU=Staff,DC=example,DC=com"), &attributes)
}

#[tokio::test]
async fn everybody_on_all_pages_is_read_as_the_directory_has_them() {
    const EXPIRES: Attributes = &[("accountExpires", &[b"134167968000000000"])];
    const NEVER: Attributes = &[("accountExpires", &[b"9223372036854775807"])];
    const MANAGED: Attributes =
        &[("manager", &[b"cn=ada, ou=staff, dc=EXAMPLE,dc=com"]), ("telephoneNumber", &[b"1", b"2"])];
    const BY_A_STRANGER: Attributes = &[("manager", &[b"cn=eve,ou=other,dc=example,dc=com"])];
    let first = [somebody(3, 1, "ada", "512", EXPIRES), somebody(3, 2, "bob", "514", MANAGED)].concat();
    let second = [somebody(4, 3, "cleo", "66048", BY_A_STRANGER), somebody(4, 4, "dan", "", NEVER)].concat();
    let server = Server::start(signed_in([
        [first, searched(3, 0, Some(b"next"))].concat(),
        [second, searched(4, 0, Some(b""))].concat(),
    ]))
    .await;
    let read = server.read(server.ldap(LdapKind::ActiveDirectory)).await.unwrap();
    let seen: Vec<_> = read
        .employees
        .iter()
        .map(|one| (one.id.0.as_str(), one.work_email.as_str(), one.reported_status, one.contract_end))
        .collect();
    let id = |number: u8| {
        let two = format!("0{number}");
        [4, 2, 2, 2, 6].map(|bytes| two.repeat(bytes)).join("-")
    };
    let ids = [id(1), id(2), id(3), id(4)];
    let mapped = ReportedStatus::Mapped;
    assert_eq!(
        seen,
        [
            (ids[0].as_str(), "ada@example.com", mapped(Status::Active), Some(date(2026, 2, 28))),
            (ids[1].as_str(), "bob@example.com", mapped(Status::Suspended), None),
            (ids[2].as_str(), "cleo@example.com", mapped(Status::Active), None),
            (ids[3].as_str(), "dan@example.com", ReportedStatus::Unmapped, None), // nobody said, so nobody knows
        ]
    );
    assert!(read.employees[1].manager == Some(Manager::Id(read.employees[0].id.clone())));
    assert!(read.employees[2].manager.is_none(), "a manager who is not in the response is nobody's id");
    assert!(read.remarks.contains(&"telephoneNumber: 1 people have several values, the first is read".to_owned()));
    let heard = server.asked.lock().unwrap().len();
    assert_eq!(heard, 4, "sign-in, whether it is one, two pages");
}

#[tokio::test]
async fn only_what_somebody_needs_is_asked_for() {
    let least = [
        "accountExpires",
        "cn",
        "displayName",
        "l",
        "mail",
        "objectGUID",
        "physicalDeliveryOfficeName",
        "userAccountControl",
        "userPrincipalName",
    ];
    let mut needs = Needs::default();
    needs.ask("everyone", "spec.scope.expression", ["department"]);
    for (needs, more) in [(Needs::default(), None), (needs, Some("department"))] {
        let whole = [somebody(3, 1, "ada", "512", &[]), searched(3, 0, Some(b""))].concat();
        let server = Server::start(signed_in([whole])).await;
        let mut source = Source::Ldap(Box::new(server.ldap(LdapKind::ActiveDirectory)));
        source.keep_to(&needs);
        read(source, &server.network()).await.unwrap();
        let mut asked = server.asked_for();
        let mut expected: Vec<_> = least.into_iter().chain(more).map(str::to_owned).collect();
        asked.sort();
        expected.sort();
        assert_eq!(asked, expected);
    }
}

#[tokio::test]
async fn what_openldap_locks_is_off_and_every_account_it_does_not_lock_is_on() {
    let person = |name: &str, more: (&'static str, &'static str)| {
        let (mail, id) = (format!("{name}@example.com"), format!("{name}-uuid"));
        found(
            3,
            &format!("uid={name},dc=example,dc=com"),
            &[
                ("entryUUID", &[id.as_bytes()]),
                ("cn", &[name.as_bytes()]),
                ("mail", &[mail.as_bytes()]),
                (more.0, &[more.1.as_bytes()]),
            ],
        )
    };
    let people = [
        person("ada", ("pwdAccountLockedTime", "000001010000Z")),
        person("bob", ("pwdAccountLockedTime", "20260301120000Z")), // for a time, after wrong passwords
        person("cleo", ("nsAccountLock", "TRUE")),
        person("dan", ("nsAccountLock", "false")),
        person("eva", ("shadowExpire", "20513")),
    ];
    let server = Server::start(signed_in([[people.concat(), searched(3, 0, Some(b""))].concat()])).await;
    let mut ldap = server.ldap(LdapKind::InetOrgPerson);
    ldap.mapping = directory(LdapKind::InetOrgPerson, Status::Terminated, &BTreeMap::new()).unwrap();
    let read = server.read(ldap).await.unwrap();
    let seen: Vec<_> = read.employees.iter().map(|one| (one.reported_status, one.contract_end)).collect();
    let (on, off) = (ReportedStatus::Mapped(Status::Active), ReportedStatus::Mapped(Status::Terminated));
    assert_eq!(seen, [(off, None), (on, None), (off, None), (on, None), (on, Some(date(2026, 2, 28)))]);
}

#[tokio::test]
async fn no_lie_of_a_directory_is_an_answer() {
    let ada = || somebody(3, 1, "ada", "512", &[]);
    let page = |end: Vec<u8>| signed_in([[ada(), end].concat()]);
    let again = [
        [ada(), searched(3, 0, Some(b"next"))].concat(),
        [somebody(4, 1, "ada", "512", &[]), searched(4, 0, Some(b""))].concat(),
    ];
    let empty = (3..=EMPTY_PAGES + 3).map(|id| searched(id, 0, Some(b"next")));
    let alone = |answers: &[Vec<u8>]| Script { answers: answers.to_vec(), start_tls: false };
    let cut = {
        let mut bytes = [ada(), somebody(3, 2, "bob", "512", &[])].concat();
        bytes.truncate(bytes.len() - 9);
        bytes
    };
    let directory = |why| Failure::Directory(why);
    for (lie, script, expected) in [
        ("the size limit", page(searched(3, 4, Some(b""))), directory(Directory::SizeLimit)),
        ("the time limit", page(searched(3, 3, None)), directory(Directory::TimeLimit)),
        ("a limit of the server's", page(searched(3, 11, None)), directory(Directory::AdminLimit)),
        ("a referral at the end", page(searched(3, 10, None)), directory(Directory::Elsewhere)),
        (
            "a referral among people",
            page([elsewhere(3), searched(3, 0, Some(b""))].concat()),
            directory(Directory::Elsewhere),
        ),
        ("busy", page(searched(3, 51, None)), directory(Directory::Unavailable)),
        ("unavailable", page(searched(3, 52, None)), directory(Directory::Unavailable)),
        ("it ends the connection", page(done(0, 52, None)), directory(Directory::Unavailable)),
        (
            "it signs nobody in, and calls it a success",
            alone(&[bound(1, 0), done(2, 0, None)]),
            directory(Directory::Anonymous),
        ),
        ("the same in other words", alone(&[bound(1, 0), done(2, 0, Some(""))]), directory(Directory::Anonymous)),
        ("a wrong password", alone(&[bound(1, 49)]), Failure::Unauthorised(String::new())),
        ("a stronger sign-in", alone(&[bound(1, 8)]), Failure::Unauthorised(String::new())),
        ("a referral at the sign-in", alone(&[bound(1, 10)]), directory(Directory::Elsewhere)),
        ("not allowed", page(searched(3, 50, None)), Failure::Forbidden),
        ("no such base", page(searched(3, 32, None)), Failure::Missing(String::new())),
        ("no paged search", page(searched(3, 12, None)), Failure::WrongFormat(String::new())),
        ("it says nothing of pages", page(searched(3, 0, None)), Failure::WrongFormat(String::new())),
        ("another error", page(searched(3, 80, None)), Failure::Status(80)),
        ("the connection is cut within a page", signed_in([cut]), Failure::Truncated(String::new())),
        ("the connection is cut between pages", page(searched(3, 0, Some(b"next"))), Failure::Truncated(String::new())),
        ("a page leads back", signed_in(again), Failure::Truncated(String::new())),
        ("pages without anybody, and no end", signed_in(empty), Failure::Truncated(String::new())),
        ("the answer to another request", page(searched(9, 0, Some(b""))), Failure::WrongFormat(String::new())),
        ("no LDAP", signed_in([b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]), Failure::WrongFormat(String::new())),
        ("one person of a gigabyte", signed_in([vec![ber::SEQUENCE, 0x84, 0x40, 0, 0, 0]]), Failure::TooLarge),
        (
            "nobody shows an id",
            signed_in([[found(3, "cn=a,dc=x", &[("cn", &[b"a"])]), searched(3, 0, Some(b""))].concat()]),
            Failure::WrongColumns(vec!["employeeId".into(), "email".into(), "status".into()]),
        ),
    ] {
        let server = Server::start(script).await;
        let failure = server.read(server.ldap(LdapKind::ActiveDirectory)).await.expect_err(lie);
        let kind = |failure: &Failure| domain::trust::failed(failure).reason();
        assert_eq!(kind(&failure), kind(&expected), "{lie}: {failure:?}");
        let said = domain::trust::failed(&failure).message();
        assert!(!said.contains(SECRET) && !said.contains("Ada") && !said.contains("cn=rollcall"), "{lie}: {said}");
        if let Failure::Directory(_) | Failure::WrongColumns(_) | Failure::Status(_) = &expected {
            assert_eq!(failure, expected, "{lie}");
        }
    }
}

#[tokio::test]
async fn an_empty_name_or_password_never_reaches_a_server() {
    let server = Server::start(signed_in([])).await;
    for (dn, password) in [("", "x"), ("cn=rollcall", ""), (" ", "x")] {
        let mut ldap = server.ldap(LdapKind::InetOrgPerson);
        ldap.login = LdapLogin::Password { dn: dn.to_owned(), password: password.into() };
        let source = Source::Ldap(Box::new(ldap));
        assert!(check(&source).unwrap_err().contains("signs nobody in"));
    }
    let mut ldap = server.ldap(LdapKind::InetOrgPerson);
    ldap.login = LdapLogin::Password { dn: "cn=rollcall".to_owned(), password: "".into() };
    let read = ldap.read(&server.network(), TODAY).await;
    assert_eq!(read.unwrap_err(), Failure::Directory(Directory::Anonymous));
    assert!(server.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn tls_is_asked_for_first_and_nothing_that_was_said_before_it_counts() {
    let whole = |first: Vec<u8>| Script {
        answers: vec![
            first,
            bound(1, 0),
            done(2, 0, Some("dn:cn=rollcall")),
            [somebody(3, 1, "ada", "512", &[]), searched(3, 0, Some(b""))].concat(),
        ],
        start_tls: true,
    };
    let injected = [done(1, 0, None), bound(2, 0)].concat();
    for (what, first, good) in [
        ("it agrees", done(1, 0, None), true),
        ("it refuses", done(1, 53, None), false),
        ("more than that", injected, false),
    ] {
        let server = Server::start(whole(first)).await;
        let ldap = Ldap { start_tls: true, ..server.ldap(LdapKind::ActiveDirectory) };
        let read = server.read(ldap).await;
        assert_eq!(read.is_ok(), good, "{what}: {:?}", read.err());
        assert_eq!(server.asked.lock().unwrap()[0], message::start_tls(1), "{what}");
        let signed_in = server.asked.lock().unwrap().len() > 1;
        assert_eq!(signed_in, good, "{what}: no password goes where there is no TLS");
    }
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_password() {
    let server = Server::start(signed_in([])).await;
    let network = Network { authorities: Vec::new(), ..server.network() };
    let source = Source::Ldap(Box::new(server.ldap(LdapKind::InetOrgPerson)));
    let Err(Failure::Unreachable(why)) = read(source, &network).await else { panic!("trusted") };
    assert!(why.starts_with("no TLS with localhost: "), "{why}");
    assert!(server.asked.lock().unwrap().is_empty());

    let server = Server::start(signed_in([])).await;
    let network = Network { allow_private_addresses: false, ..server.network() };
    for host in ["localhost", "127.0.0.1"] {
        let ldap = Ldap { host: host.to_owned(), ..server.ldap(LdapKind::InetOrgPerson) };
        let refused = read(Source::Ldap(Box::new(ldap)), &network).await;
        assert!(matches!(refused, Err(Failure::AddressRefused(_))), "{host}: {:?}", refused.err());
    }
}

#[tokio::test]
async fn a_certificate_signs_in_where_there_is_no_name() {
    let clients = Authority::new();
    let whole = [somebody(3, 1, "ada", "512", &[]), searched(3, 0, Some(b""))].concat();
    let server = Server::certified(signed_in([whole]), Some(&clients)).await;
    let (certificate, key) = clients.client("rollcall");
    let login = LdapLogin::Certificate { certificate: certificate.into(), key: key.into() };
    let ldap = Ldap { login, ..server.ldap(LdapKind::ActiveDirectory) };
    assert_eq!(server.read(ldap).await.map(|read| read.employees.len()), Ok(1));
    assert_eq!(server.asked.lock().unwrap()[0], message::bind_external(1));

    let (_, other) = clients.client("other");
    let login = LdapLogin::Certificate { certificate: clients.client("rollcall").0.into(), key: other.into() };
    let unfit = Source::Ldap(Box::new(Ldap { login, ..server.ldap(LdapKind::ActiveDirectory) }));
    assert_eq!(check(&unfit).unwrap_err(), "certificate and key are no pair in PEM");
}

#[test]
fn a_connections_own_attribute_takes_the_place_of_the_directorys() {
    let own = [("team", "departmentNumber"), ("manager", "msDS-Lead"), ("hireDate", "startDate")];
    let own = own.map(|(field, attribute)| (field.to_owned(), attribute.to_owned())).into();
    let mapping = directory(LdapKind::ActiveDirectory, Status::Suspended, &own).unwrap();
    let attributes = mapping.attributes().unwrap();
    for attribute in ["departmentNumber", "msDS-Lead", "startDate"] {
        assert!(attributes.contains(&attribute.to_owned()), "{attributes:?}");
    }
    assert!(!attributes.contains(&"manager".to_owned()), "{attributes:?}");
    assert_eq!((mapping.syntax("MSDS-lead"), mapping.syntax("startDate")), (Syntax::Dn, Syntax::Time));
    assert_eq!(mapping.syntax("departmentNumber"), Syntax::Text);
}
