# Recipients of several domains are judged by their own domain's policy; the message goes to those that were accepted.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<boss@pass.example>
< 250 2.1.0 *
> RCPT TO:<first@local.test>
< 550 5.7.23 * (ref {first})
log event=recipient verdict=reject reason=spf-fail rcpt_to=first@local.test ref={first}
> RCPT TO:<second@monitored.test>
< 250 2.1.5 *
log event=recipient verdict=pass would=reject check=spf reason=spf-fail rcpt_to=second@monitored.test
> RCPT TO:<third@unhosted.test>
< 250 2.1.5 *
> RCPT TO:<fourth@local.test>
< 550 5.7.23 * (ref {fourth})
log event=recipient verdict=reject reason=spf-fail rcpt_to=fourth@local.test ref={fourth}
message
    From: boss@pass.example
    Subject: mixed

    Mixed.
< 250 2.0.0 *
log event=message verdict=pass spf=*fail*
delivered boss@pass.example -> second@monitored.test, third@unhosted.test
    Authentication-Results: mx.local.test; *spf=fail smtp.mailfrom=pass.example; *
    X-Auto-Response-Suppress: OOF, AutoReply
    Received: *
    From: boss@pass.example
    Subject: mixed

    Mixed.
