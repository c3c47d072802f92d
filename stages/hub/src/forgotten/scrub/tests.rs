//! Tests of what becomes of a line that names a forgotten person.

use super::*;

fn list(how: How) -> Forgotten {
    let mut list = Forgotten::new().unwrap();
    for (what, text) in [
        (What::Name, "jdoe"),
        (What::Name, "tools"),
        (What::Id, "1234"),
        (What::Email, "jane.doe@example.org"),
        (What::Address, "192.0.2.7"),
        (What::Address, "2001:db8::7"),
    ] {
        list.add(what, text, "2025-07-31", how);
    }
    list
}

/// The text with what was replaced in braces.
fn marked(text: &str, kind: Kind) -> String {
    let Some(done) = list(How::Pseudonym).scrub(text.as_bytes(), kind, b"") else { return text.to_owned() };
    let (mut out, mut at) = (String::new(), 0);
    for place in done.places {
        out += &text[at..place.start];
        out += &format!("{{{}}}", &text[place.clone()]);
        at = place.end;
    }
    out + &text[at..]
}

#[test]
fn in_a_line_that_is_not_a_login_the_number_before_the_name_is_that_of_the_user() {
    assert_eq!(
        marked("2025-07-10 08:00 1234 [x] 192.0.2.1 login", Kind::Auth),
        "2025-07-10 08:00 {1234} [x] 192.0.2.1 login"
    );
    assert_eq!(marked("1234 08:00 [x] [y] 1234", Kind::Auth), "1234 08:00 [x] [y] 1234");
}

#[test]
fn what_is_forgotten_is_found_wherever_it_stands_for_the_person() {
    for text in [
        "/members/{1234}/profile",
        "/members/{01234}",
        "/members/{jdoe}",
        "/~{JDoe}/index.html",
        "/x?username={jdoe}&uid={1234}",
        "/x?return=%2Fmembers%2F{1234}%2F",
        "/x?mail={jane.doe%40example.org}",
        "mailto:{jane.doe@example.org}",
        "/img/{jdoe}.jpg",
        "/index.php?option=com_members&id={1234}",
        "/tools/x?user={tools}",
        "ip={192.0.2.7}:443",
        "[{2001:db8::7}]:443",
        "{j%64oe}",
        "/members/12345/jdoes",
        "/resources/1234/tools",
        "/a1234",
        "192.0.2.70 1192.0.2.7",
        "",
        "%",
    ] {
        let plain = text.replace(['{', '}'], "");
        assert_eq!(marked(&plain, Kind::Text), text);
    }
}

#[test]
fn lines_of_logs_are_found_by_their_fields() {
    for (kind, line, is_own) in [
        (Kind::Auth, "2025-07-10 08:00:01 {1234} [{jdoe}] {192.0.2.7} login", true),
        (Kind::Auth, "2025-07-10 12:34:00 1235 [other] 192.0.2.8 login", false),
        (Kind::Auth, "2025-07-10 08:00:02 {tools} 192.0.2.8 login", true),
        (Kind::Access, "192.0.2.8 - {jdoe} [10/Jul/2025:08:00:00 +0000] \"GET /tools HTTP/1.1\" 200 1", true),
        (Kind::Access, "192.0.2.8 - - [10/Jul/2025:08:00:00 +0000] \"GET /members/{1234} HTTP/1.1\" 200 1", false),
        (Kind::Access, "{192.0.2.7} - - [10/Jul/2025:08:00:00 +0000] \"GET / HTTP/1.1\" 200 1", true),
        (Kind::Access, "{\"remote_ip\":\"192.0.2.8\",\"user_id\":\"jdoe\"}", true),
    ] {
        let plain = line.replace("{1234}", "1234").replace("{jdoe}", "jdoe").replace("{tools}", "tools");
        let plain = plain.replace("{192.0.2.7}", "192.0.2.7");
        let done = list(How::Delete).scrub(plain.as_bytes(), kind, b"2025-07-10");
        assert_eq!(done.as_ref().is_some_and(|done| done.is_own), is_own, "{line}");
        if !line.starts_with('{') || line.contains("{192") {
            assert_eq!(marked(&plain, kind), line);
        }
    }
    let later = list(How::Delete).scrub(b"2025-08-10 08:00:01 1234 [jdoe] 192.0.2.7 login", Kind::Auth, b"2025-08-10");
    assert_eq!(later, None, "somebody else by then");
}

#[test]
fn what_was_replaced_is_not_found_again_and_still_fits_the_layout() {
    let list = list(How::Pseudonym);
    for (kind, line) in [
        (Kind::Auth, "2025-07-10 08:00:01 1234 [jdoe] 192.0.2.7 login"),
        (
            Kind::Access,
            "192.0.2.7 - jdoe [10/Jul/2025:08:00:00 +0000] \"GET /members/1234 HTTP/1.1\" 200 1 \"-\" \"jane.doe@example.org\"",
        ),
    ] {
        let once = list.scrub(line.as_bytes(), kind, b"").unwrap().text;
        assert_eq!(list.scrub(&once, kind, b""), None);
        let text = String::from_utf8(once).unwrap();
        assert!(!["1234 ", "jdoe", "192.0.2", "example"].iter().any(|left| text.contains(left)), "{text}");
        if kind == Kind::Auth {
            let login = parse::auth(text.as_bytes(), Compat::LEGACY).unwrap();
            assert!(login.user.starts_with(b"forgotten_") && login.uid.len() == 10, "{text}");
        }
    }
}

#[test]
fn the_work_is_linear() {
    let list = list(How::Pseudonym);
    for bytes in ["a.", "a:", "@+", "%41", "1.", ".", "jdoe.", "members/1234"] {
        let text = bytes.repeat(2_000_000 / bytes.len());
        let begun = std::time::Instant::now();
        let _ = list.scrub(text.as_bytes(), Kind::Access, b"");
        assert!(begun.elapsed().as_secs() < 20, "{bytes}");
    }
}
