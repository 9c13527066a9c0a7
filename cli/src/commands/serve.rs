//! `serve`: the page, in a browser.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};
use chatvault_export::entry::SystemEvents;
use chatvault_web::{Settings, Site, Tls, serve};
use clap::{Args, ValueEnum};

use crate::console::Console;
use crate::failure::{Outcome, WrongUsage};

const EXAMPLES: &str = "\
Examples:
  chatvault serve team.cvault
  chatvault serve archives/ --downloads /srv/downloads     a folder of archives, one an organisation
  chatvault serve team.cvault --port 8080
  chatvault serve team.cvault --graph                      scripts and `sync` read it as they read the service
  chatvault serve team.cvault --address 10.0.0.5 --allow-remote vault.contoso.com --certificate c.pem --key k.pem

Prints an address with a token; open it in a browser of this machine. The token is new at each start. The page \
reads while `sync` or `import` write elsewhere; what it writes itself takes the archive's lock, and says who has \
it. Downloads are the same files as `chatvault export` makes, below --downloads, else in a folder beside the \
archive. Ctrl-C ends it; a download that was under way is resumed on its page.

Only this machine can reach it unless --allow-remote names how browsers call it; then it needs a certificate.";

/// Show archives in a browser: read, search, download, back up
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// An archive's folder, or a folder of archives
    place: PathBuf,
    /// Answer as Microsoft Graph does, too, for what is archived: for scripts, and for `sync` of another archive
    #[arg(long)]
    graph: bool,
    /// Where downloads are made
    #[arg(long, value_name = "DIR")]
    downloads: Option<PathBuf>,
    /// Members added, calls, renamed chats: in words, or as the placeholder that some products have. A
    /// view can choose the other
    #[arg(long, value_enum, default_value_t = Events::Text)]
    system_events: Events,
    /// The port; 0: one that is free
    #[arg(long, default_value_t = 8317)]
    port: u16,
    /// The address to listen at
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    address: IpAddr,
    /// The name by which browsers elsewhere call it (several); without it only this machine is let in
    #[arg(long, value_name = "NAME", requires_all = ["certificate", "key"])]
    allow_remote: Vec<String>,
    /// The certificate and those that signed it, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Events {
    #[value(alias = "words")]
    Text,
    Placeholder,
}

pub(crate) fn run(arguments: &Arguments, console: &mut Console<'_>) -> anyhow::Result<Outcome> {
    if !arguments.address.is_loopback() && arguments.allow_remote.is_empty() {
        let line =
            "others can reach that address: say --allow-remote NAME, with --certificate and --key";
        return Err(WrongUsage(line.to_owned()).into());
    }
    let settings = Settings {
        place: arguments.place.clone(),
        downloads: arguments.downloads.clone(),
        system_events: match arguments.system_events {
            Events::Text => SystemEvents::Text,
            Events::Placeholder => SystemEvents::Placeholder,
        },
        hosts: arguments.allow_remote.clone(),
    };
    let site = Site::open(settings).map_err(|line| anyhow!(line))?;
    let site = Arc::new(if arguments.graph { site.as_graph() } else { site });
    let tls = arguments.certificate.clone().zip(arguments.key.clone());
    let tls = tls.map(|(certificate, key)| Tls { certificate, key });
    let address = SocketAddr::new(arguments.address, arguments.port);
    console.stop.heed();
    let stop = Arc::clone(&console.stop);
    // Without its address nobody can open it.
    let is_untold = AtomicBool::new(false);
    let mut told = Ok(());
    let ready = |listening: &chatvault_web::Listening| {
        let lines = [Some(listening.link.clone()), arguments.graph.then(|| graph(&listening.link))];
        let written = lines.iter().flatten().try_for_each(|line| console.line(line));
        told = written.and_then(|()| console.out.flush());
        is_untold.store(told.is_err(), Ordering::Relaxed);
    };
    let is_over = || stop.asked() || is_untold.load(Ordering::Relaxed);
    let served = serve(&site, (address, tls.as_ref()), ready, &is_over);
    served.with_context(|| format!("cannot serve at {address}"))?;
    told?;
    Ok(Outcome::Done)
}

/// How clients of Graph are led here.
fn graph(link: &str) -> String {
    let origin = link.split("/?").next().unwrap_or_default();
    format!(
        "Graph: --cloud custom --login-url {origin} --graph-url {origin}; the tenant is the name of \
         an organisation, or any; any client id; the token is the secret"
    )
}
