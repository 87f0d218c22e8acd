//! Files that lie: a text that was fetched already, a file behind a URL, and one in a folder of a real SFTP server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use hris::http::RetryPolicy;
use hris::{Complete, Coverage, CsvFormat, FileFrom, FileSource, HttpFile, Login, Network, SftpFile, Source};
use secrecy::SecretString;
use test_sshd::{PASSWORD, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Nobody waits for a server that lost a connection.
const HURRIED: RetryPolicy = RetryPolicy { first: Duration::ZERO, throttled: 5, faults: 2 };
/// How many minutes before noon of 10 March 2026, which is the server's now, the files were written: at noon of the 2nd.
const AGO: u64 = 8 * 24 * 60;
/// Name of the delivery of that day, and of one before the truth.
const TODAYS: &str = "people_2026-03-02.csv";
const EARLIER: &str = "people_2026-02-20.csv";

/// Where the file lies.
pub(super) enum Place {
    Given,
    Http(String, Arc<Mutex<Reply>>),
    Sftp(Box<Server>),
}

/// What the server of a URL answers.
#[derive(Clone, Default)]
pub(super) struct Reply {
    status: u16,
    text: String,
    /// The connection is lost in the middle of it.
    lost: bool,
}

impl Place {
    /// The place of that name in the table; none where it is no file.
    pub(super) async fn of(name: &str) -> Option<Self> {
        Some(match name {
            "fetched" => Self::Given,
            "http" => {
                let reply = Arc::new(Mutex::new(Reply::default()));
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}/people.csv", listener.local_addr().unwrap());
                let served = Arc::clone(&reply);
                tokio::spawn(async move {
                    loop {
                        let (socket, _) = listener.accept().await.unwrap();
                        let reply = served.lock().unwrap().clone();
                        tokio::spawn(answer(socket, reply));
                    }
                });
                Self::Http(url, reply)
            }
            "sftp" => Self::Sftp(Box::new(Server::start())),
            _ => return None,
        })
    }

    /// The file as it is.
    pub(super) async fn tell(&self, text: &str) -> Result<Read, Failure> {
        match self {
            Self::Given => {}
            Self::Http(_, reply) => *reply.lock().unwrap() = Reply { status: 200, text: text.to_owned(), lost: false },
            Self::Sftp(server) => deliver(server, TODAYS, text),
        }
        self.read(text).await
    }

    /// The file with a lie; none where no file lies so.
    pub(super) async fn lie(&self, lie: Lie) -> Option<Result<Read, Failure>> {
        let whole = sheet(&employees(1, &LATELY));
        match (self, lie) {
            (Self::Http(_, reply), Lie::Forbidden) => {
                *reply.lock().unwrap() = Reply { status: 403, ..Reply::default() }
            }
            (Self::Http(_, reply), Lie::CutOff) => {
                *reply.lock().unwrap() = Reply { status: 200, text: whole, lost: true };
            }
            (Self::Sftp(server), Lie::Forbidden) => {
                deliver(server, TODAYS, &whole);
                let file = server.folder().join(TODAYS);
                fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
            }
            (Self::Sftp(server), Lie::Stale) => deliver(server, EARLIER, &sheet(&employees(1, &[]))),
            _ => return Some(self.tell(&text_that_lies(lie)?).await),
        }
        Some(self.read("").await)
    }

    async fn read(&self, given: &str) -> Result<Read, Failure> {
        let from = match self {
            Self::Given => FileFrom::Bytes(given.as_bytes().to_vec()),
            Self::Http(url, _) => FileFrom::Http(HttpFile { url: url.clone(), credential: None }),
            Self::Sftp(server) => FileFrom::Sftp(Box::new(SftpFile {
                host: "127.0.0.1".to_owned(),
                port: server.port,
                user: "hr".to_owned(),
                host_keys: vec![server.host_key("host_ed25519")],
                login: Login::Password(SecretString::from(PASSWORD)),
                directory: "out".to_owned(),
                pattern: "people_%Y-%m-%d.csv".to_owned(),
                complete: Complete::Unchanged(1),
                archive: false,
            })),
        };
        let (coverage, format) = (Coverage::Everybody, CsvFormat::default());
        let source = Source::File(Box::new(FileSource { from, coverage, seal: None, format }));
        let near = Network { allow_private_addresses: true, ..Network::default() };
        hris::read_with(&source, &near, LONG, TODAY, HURRIED).await
    }
}

/// Answers one request; what is lost ends in the middle of the body, after its head has promised the whole.
async fn answer(mut socket: TcpStream, reply: Reply) {
    let (mut asked, mut bytes) = (Vec::new(), [0; 1024]);
    while !asked.ends_with(b"\r\n\r\n") {
        let Ok(read @ 1..) = socket.read(&mut bytes).await else { return };
        asked.extend_from_slice(&bytes[..read]);
    }
    let length = reply.text.len();
    let sent = if reply.lost { length / 2 } else { length };
    let head = format!("HTTP/1.1 {} -\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n", reply.status);
    // Who has gone meanwhile hears nothing.
    let _ = socket.write_all(&[head.as_bytes(), &reply.text.as_bytes()[..sent]].concat()).await;
    let _ = socket.shutdown().await;
}

/// The one file in the folder.
fn deliver(server: &Server, name: &str, text: &str) {
    for other in server.names("") {
        fs::remove_file(server.folder().join(other)).unwrap();
    }
    server.put(name, text, AGO);
}

/// What a file says that lies; none where no file lies so.
fn text_that_lies(lie: Lie) -> Option<String> {
    let mut rows = employees(1, &LATELY);
    let half = rows.len() / 2;
    match lie {
        Lie::Empty => rows.clear(),
        Lie::HalfWritten => rows.truncate(half),
        Lie::WrongFilter => rows.retain(|row| row[3] == "active"),
        Lie::Stale => rows = employees(1, &[]),
        Lie::OtherTenant => rows = employees(2, &LATELY),
        Lie::ShiftedColumn => {
            let mut addresses: Vec<String> = rows.iter().map(|row| row[2].clone()).collect();
            addresses.rotate_left(1);
            rows.iter_mut().zip(addresses).for_each(|(row, address)| row[2] = address);
        }
        Lie::CutOff => {
            let text = sheet(&rows);
            let line = text.match_indices('\n').nth(half).map_or(0, |(at, _)| at);
            return Some(text[..line - 12].to_owned());
        }
        Lie::Forbidden | Lie::LostPage => return None,
    }
    Some(sheet(&rows))
}

/// The people of a company, as its sheet has them.
pub(super) fn employees(seed: u64, left: &[usize]) -> Vec<[String; 5]> {
    let made_to_leave: BTreeSet<usize> = left.iter().copied().collect();
    let moment = Moment { today: TODAY, day: 0, answers: 0, made_to_leave };
    let company = company(PEOPLE, seed);
    let people = (0..company.numbers(&moment)).filter_map(|number| company.person(number, &moment));
    let cells = |one: Person| {
        let status = if one.status == Status::Terminated { "terminated" } else { "active" };
        let name = format!("{} {}", one.first, one.last);
        [Company::id(one.number), name, company.email(one.number), status.to_owned(), one.start.to_string()]
    };
    people.map(cells).collect()
}

pub(super) fn sheet(rows: &[[String; 5]]) -> String {
    let lines = rows.iter().map(|row| row.join(",") + "\n");
    "employeeId,fullName,email,status,hireDate\n".to_owned() + &lines.collect::<String>()
}
