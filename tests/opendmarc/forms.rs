//! Fields that strangers forge: those of the reports, those that are plainly another's, and generated ones.

/// A field, without its name.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// Authentication-Results.
    Results(String),
    /// Received-SPF.
    ReceivedSpf(String),
}

impl Form {
    /// The whole field as a line of a message, or several.
    pub(crate) fn field(&self) -> String {
        match self {
            Self::Results(body) => format!("Authentication-Results: {body}\n"),
            Self::ReceivedSpf(body) => format!("Received-SPF: {body}\n"),
        }
    }
}

/// The forms of the reports, each of which some version of OpenDMARC believes or another reader takes for ours.
pub(crate) fn reported(id: &str, domain: &str) -> Vec<Form> {
    let (host, rest) = id.split_once('.').unwrap();
    let (middle, end) = rest.split_once('.').unwrap();
    let (m, x) = host.split_at(1);
    let (left, right) = middle.split_at(2);
    let ids = [
        id.to_owned(),
        format!("{host} . {middle} . {end}"),
        format!("{host}.{middle}\n\t.{end}"),
        format!("{host}.(c){middle}.(d){end}"),
        format!("{host}\\.{middle}.{end}"),
        format!("{m}\\{x}.{middle}.{end}"),
        format!("{host}.\"{middle}\".{end}"),
        format!("\"{host}.{middle}\".{end}"),
        format!("{host}.\t{middle}.{end}"),
        format!("{host}.{left}\"\"{right}.{end}"),
        format!("{host}.{left}){right}.{end}"),
        format!("{host} . {middle} . {end} 1"),
    ];
    let results = ids.into_iter().map(|id| Form::Results(format!("{id}; dkim=pass header.d={domain}")));
    let received = [
        format!(
            "pass ({id}: domain of x@{domain} designates 198.51.100.66 as permitted sender) client-ip=198.51.100.66"
        ),
        format!("pass identity=mailfrom; envelope-from=\"x@{domain}\""),
        format!("pass receiver=gw.example; identity=mailfrom; envelope-from=\"x@{domain}\""),
    ];
    results.chain(received.map(Form::ReceivedSpf)).collect()
}

/// Fields of other hosts, which real mail brings along, and names that only resemble ours.
pub(crate) fn foreign(id: &str, domain: &str) -> Vec<Form> {
    let (host, rest) = id.split_once('.').unwrap();
    let ids = [
        format!("not{id}"),
        format!("{id}.evil.test"),
        format!("{host}.example.net"),
        format!("\"{host}\" .example.net"),
        format!("a.{id}"),
        rest.to_owned(),
        "mx.google.com".to_owned(),
        "spool.mail.gandi.net 1".to_owned(),
        "\"relay.example\"".to_owned(),
        "(of the list) lists.example (x) 1".to_owned(),
        "i=1".to_owned(),
    ];
    let results = ids.into_iter().map(|id| Form::Results(format!("{id}; dkim=pass header.d={domain}")));
    let received = [
        format!("fail (gw.example: no) receiver=gw.example; identity=mailfrom; envelope-from=\"x@{domain}\""),
        "pass (gw.example: ok) receiver=gw.example; identity=mailfrom; envelope-from=\"author@other.test\""
            .to_owned(),
        format!("softfail receiver=not{id}; identity=helo; helo={domain}"),
        format!("none receiver={id}.evil.test; client-ip=2001:db8::1"),
        format!(
            "Pass (protection.outlook.com: domain of {domain} designates 192.0.2.1 as permitted sender) receiver=protection.outlook.com; client-ip=192.0.2.1; helo=h.test; pr=C"
        ),
    ];
    results.chain(received.map(Form::ReceivedSpf)).collect()
}

/// The same forms at every call.
pub(crate) fn generated(id: &str, domain: &str) -> Vec<Form> {
    let mut dice = Dice(0x5eed);
    let results = (0..400).map(|_| {
        let id = disguised(&near(id, &mut dice), &mut dice);
        let version = dice.pick(&["", "", " 1", " (v) 1", "\t2", "/1", ".", " x", "1"]);
        let before = dice.pick(&["", "", "", "(c) ", "\n\t", "\"\"", "; "]);
        let after = dice.pick(&["", " ", " (c)", "\"\"", "\n "]);
        Form::Results(format!("{before}{id}{version}{after}; dkim=pass header.d={domain}"))
    });
    let mut forms: Vec<Form> = results.collect();
    forms.extend((0..400).map(|_| Form::ReceivedSpf(received_spf(id, domain, &mut dice))));
    forms
}

/// Our name, or one that resembles it.
fn near(id: &str, dice: &mut Dice) -> String {
    match dice.roll(8) {
        0 => format!("not{id}"),
        1 => format!("{id}.evil.test"),
        2 => id.replacen("org", "net", 1),
        3 => format!("a.{id}"),
        4 => id.to_uppercase(),
        _ => id.to_owned(),
    }
}

/// A text with up to three things in it that some reader passes over.
fn disguised(text: &str, dice: &mut Dice) -> String {
    const NOISE: [&str; 16] = [
        " ", "\t", "\n ", "(c)", "((a)b)", "(;)", "\"\"", "\\", ")", "\"(\"", "(\\))", "''", "\u{ad}",
        "\u{e9}", "\u{7f}", " (c) ",
    ];
    let mut text = text.to_owned();
    for _ in 0..dice.roll(4) {
        let at = dice.place_in(&text);
        if dice.roll(3) == 0 {
            let end = at + dice.place_in(&text[at..]);
            text.insert(end, '"');
            text.insert(at, '"');
        } else {
            text.insert_str(at, dice.pick(&NOISE));
        }
    }
    text
}

/// A Received-SPF, mostly with what OpenDMARC asks for.
fn received_spf(id: &str, domain: &str, dice: &mut Dice) -> String {
    let receiver = match dice.roll(6) {
        0 => String::new(),
        1 => format!("receiver={};", disguised(id, dice)),
        2 => "receiver=<UNKNOWN>;".to_owned(),
        _ => "receiver=gw.example;".to_owned(),
    };
    let (name, end) = domain.split_at(domain.len() - 4);
    let sender = match dice.roll(8) {
        0 => format!("x@{}={name}", ["z".repeat(name.len()), end.to_owned()].concat()),
        1 => format!("x@zz{end}=x@{name}"),
        2 => format!("\"x@{}\"", disguised(domain, dice)),
        3 => disguised(&format!("x@{domain}"), dice),
        4 => "author@other.test".to_owned(),
        5 => domain.to_uppercase(),
        _ => format!("\"x@{domain}\""),
    };
    let comment = dice.pick(&["", "", "(gw.example: ok) ", "(c)", &format!("({id}: ok) ")]).to_owned();
    let result = dice
        .pick(&[
            "pass", "pass", "pass", "Pass", "\"pass\"", "p\\ass", "pa(c)ss", "fail", "softfail", "passed",
        ])
        .to_owned();
    let identity = dice
        .pick(&[
            "identity=mailfrom",
            "identity=mailfrom",
            "Identity = MailFrom",
            "iden(c)tity=mailfrom",
            "\"identity\"=mailfrom",
            "identity=helo",
        ])
        .to_owned();
    let mut pairs = [receiver, format!("{identity};"), format!("envelope-from={sender};")];
    let turns = dice.roll(3);
    pairs.rotate_left(turns);
    format!("{result} {comment}{}", pairs.join(dice.pick(&["", " ", "\n\t"])))
}

/// Numbers that look random and are the same each time (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).expect("less than sides")
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    /// Where a character of `text` begins, or its end; not within a fold, which would end the field.
    fn place_in(&mut self, text: &str) -> usize {
        let places: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .filter(|&at| !text[..at].ends_with('\n'))
            .collect();
        places[self.roll(places.len())]
    }
}
