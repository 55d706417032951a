# Recipients that are delivered to somewhere else are judged and logged as what the client called them.
client ADDR=192.0.2.10 NAME=news.sender.example
> EHLO news.sender.example
< 250 *
> MAIL FROM:<news@example.org>
< 250 2.1.0 *
> RCPT TO:<Sales@example.org>
< 250 2.1.5 *
> RCPT TO:<info@example.net>
< 250 2.1.5 *
message
    From: news@example.org
    Subject: to two aliases

    Hello.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=*ales@example.org*info@example.net*
delivered news@example.org -> *@inner.test

client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<ceo@example.org>
< 250 2.1.0 *
> RCPT TO:<sales@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {virtual})
log event=recipient verdict=reject check=require_auth rcpt_to=sales@example.org ref={virtual}
> RCPT TO:<info@example.net>
< 530 5.7.0 *Authentication required to send as example.org (ref {alias})
log event=recipient verdict=reject check=require_auth rcpt_to=info@example.net ref={alias}
> RSET
< 250 2.0.0 *

# A sender whose own mail is delivered elsewhere claims to be what it says, not its delivery target.
> MAIL FROM:<info@example.net>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.net (ref {sender})
log event=recipient verdict=reject check=require_auth mail_from=info@example.net ref={sender}
