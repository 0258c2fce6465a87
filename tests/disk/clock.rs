//! A clock that is set back or forward beside the authority.

use crate::common::https::Kept;
use crate::common::https::Request;
use crate::rig::Rig;
use crate::rig::ready;

const DAY: i64 = 86_400;

/// Today is the day after the one that the machine's clock shows, so that the authority's certificates are valid on both.
#[test]
fn a_clock_that_goes_back_by_a_day() {
    let Some(rig) = Rig::new() else { return };
    let (today, yesterday) = (DAY, 0);
    rig.set_clock_ahead(today);
    let daemon = rig.start();
    let client = rig.client(&daemon);
    let send = |client: &Kept, request: &Request| client.send(request).unwrap().status;
    assert_eq!(send(&client, &rig.request_ahead(today)), 201);

    // While it serves: refused, and the log says how to go on; a few minutes are nothing.
    rig.set_clock_ahead(today - 200);
    assert_eq!(send(&client, &rig.request_ahead(today - 200)), 201);
    rig.set_clock_ahead(yesterday);
    let early = rig.request_ahead(yesterday);
    assert_eq!(send(&client, &early), 500);
    let log = daemon.log_with("internal.clock");
    assert!(log.contains("internal.clock") && log.contains("restart once with --accept-clock"), "{log}");
    let (status, body) = ready(&daemon);
    assert!(status == 503 && body.contains("the clock shows "), "{status} {body}");
    rig.set_clock_ahead(today);
    assert_eq!(ready(&daemon).0, 200);
    assert_eq!(send(&client, &rig.request_ahead(today)), 201, "it has caught up");
    drop((client, daemon));

    // At the start.
    rig.set_clock_ahead(yesterday);
    let said = rig.try_start("").unwrap_err();
    assert!(said.contains("error: the clock shows "), "{said}");
    assert!(said.contains("hint: ") && said.contains("restart once with --accept-clock"), "{said}");
    let daemon = rig.try_start("--accept-clock").unwrap();
    assert!(daemon.log().contains("warning: the clock is taken for right"), "{}", daemon.log());
    let client = rig.client(&daemon);
    assert_eq!(send(&client, &early), 401, "it may have been used at this time already");
    rig.set_clock_ahead(yesterday + 120);
    assert_eq!(send(&client, &rig.request_ahead(yesterday + 120)), 201);
    drop((client, daemon));
    // From then on without a word.
    drop(rig.start());
}

/// The used tokens of today are forgotten tomorrow, and would pass when it is today again.
#[test]
fn a_clock_that_was_ahead_for_a_while() {
    let Some(rig) = Rig::new() else { return };
    let daemon = rig.start();
    let request = rig.request();
    assert_eq!(rig.client(&daemon).send(&request).unwrap().status, 201);
    drop(daemon);

    // A start forgets what has ended.
    rig.set_clock_ahead(DAY);
    let mut daemon = rig.start();
    assert!(daemon.signal("TERM").success());
    rig.set_clock_ahead(0);
    let said = rig.try_start("").unwrap_err();
    assert!(said.contains("the clock shows "), "{said}");
    let daemon = rig.try_start("--accept-clock").unwrap();
    assert_eq!(rig.client(&daemon).send(&request).unwrap().status, 401);
}
