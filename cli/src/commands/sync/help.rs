//! What `chatvault help sync` teaches.

pub(super) const EXAMPLES: &str = "\
Examples:
  export CHATVAULT_TENANT=contoso.com CHATVAULT_CLIENT_ID=00000000-…
  chatvault init team.cvault
  chatvault sync team.cvault --test --save --client-secret-file secret   is the connection good?
  chatvault sync team.cvault --estimate         requests, time and disk before the first run
  chatvault sync team.cvault                    first run: finds users and teams
  chatvault account activate team.cvault --all  choose whom to back up
  chatvault sync team.cvault                    exports; then daily, by a timer
  chatvault sync team.cvault --certificate app.pem --cloud gcc-high
  chatvault sync team.cvault --certificate app.pem --activate-new users
  chatvault sync team.cvault --certificate app.pem --account ann@contoso.com --fresh
  chatvault sync team.cvault --certificate app.pem --from 2024-01 --to 2024-02   one-time, one month

Signs in as an app registration (application permissions, admin consent), finds users and teams, and \
exports each active account: what changed since its last run, with an overlap. Messages, who received \
them, edits and deletions go to the archive as `import` would store them; images, files, recordings and \
transcripts become objects linked to their message. New accounts are inactive until `chatvault account \
activate`.

The secret comes from a file or from CHATVAULT_CLIENT_SECRET, never from an argument: arguments are \
seen by every user of the machine. Neither secrets nor tokens are printed or stored: --save keeps the \
name of the file. A secret or certificate that ends within 30 days is told by --test and by each run.

Feeds: chats and channels are messages as they are now; retained-chats and retained-channels are edited \
and deleted ones under a retention policy. Others need permissions of their own: targeted (messages to \
one recipient of a conversation), recordings, transcripts, adhoc-recordings and adhoc-transcripts (of calls \
without a meeting), copilot. directory belongs to no account: users and teams as they are listed, and the \
names and members of each chat, and the channels of each team, with new messages. It gives people addresses, \
channels names and chats their silent members, in every export; without it they are called by who writes. The delta feeds are a fast path, not a record: the service forgets after 8 months. docs/SYNC.md names the permission of each.

--plan fetch-once asks each user's mailbox only for what this user wrote. It saves most requests, but \
misses messages of senders who are gone, and does not tell who received what. The default misses neither.

How far an export is belongs to what was asked: a run with --filter or --plan fetch-once moves no other \
run's place, and an earlier --start brings in the time between. `runs` and `account list` say of what \
`complete` is true.

Running it twice changes nothing. Stopped (Ctrl-C) or killed, it goes on where it was when started \
again. The report is kept: `chatvault runs`. What could not be had is listed by `chatvault account \
missing` and tried again on the next runs.

Exit codes: 0 done, also when nothing was new; 1 could not sign in or go on, stopped before the end, every \
account failed, or (with --test) a check failed; 2 wrong usage; 3 done, but something is missing or in \
quarantine that no earlier run has told. What is known, given up or not licensed is listed each time and \
fails no run.

JSON fields: run, asked (feeds, accounts (empty: every active one), plan, filter, app_classes, start, \
from, to), finished, started, ended, seconds, copies_per_second, complete, partial, failed, \
stopped (numbers of accounts), discovered (accounts new to the archive), inactive, missing (contents of \
all runs that are not in the archive), external (pictures and files of other sites, which are not \
fetched), pages, copies, stored (new versions), variants, duplicates, \
quarantined, objects, object_bytes, failures (feeds, windows and contents that could not be had in \
this run), known (those of them that an earlier run told, or that nobody has a licence for), requests, retries, throttled_ms (all accounts and the directory together), balanced (copies = stored + variants + duplicates + \
quarantined, in total and for each account), troubles (of the whole run: list of what, reason, advice, known), newly_quarantined (things that were \
not in quarantine before), gaps (what the service does not export at all), notes (what to know besides), accounts \
(list of account, name, outcome, the same numbers, troubles). With --test: good, checks (list of what, \
good, seen, advice). With --estimate: accounts, sampled, without_mailbox, latency_ms, and copies, requests, \
contents, seconds, bytes (each: low, likely, high).";
