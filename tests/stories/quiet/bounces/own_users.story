# Whoever belongs to us gets her bounces, even where nobody is answered: she had logged in, or was on the host itself.
submission ADDR=192.0.2.77 NAME=laptop.example
> EHLO laptop.example
< 250 *
login ann@disabled.test
mail ann@disabled.test -> nobody@outside.test
message
    From: ann@disabled.test
    To: nobody@outside.test
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass origin=login login=ann@disabled.test
log event=message verdict=pass mail_from=<> rcpt_to=ann@disabled.test
delivered  -> ann@disabled.test
sendmail -f ann@disabled.test nobody@outside.test
    From: ann@disabled.test
    To: nobody@outside.test
    Subject: hello

    Hello.
log event=message verdict=pass origin=local mail_from=ann@disabled.test
log event=message verdict=pass mail_from=<> rcpt_to=ann@disabled.test
delivered  -> ann@disabled.test

# So it is under every other policy.
sendmail -f ann@strict.test nobody@outside.test
    From: ann@strict.test
    To: nobody@outside.test
    Subject: hello

    Hello.
log event=message verdict=pass origin=local mail_from=ann@strict.test
log event=message verdict=pass mail_from=<> rcpt_to=ann@strict.test
delivered  -> ann@strict.test
sendmail -f ann@published.test nobody@outside.test
    From: ann@published.test
    To: nobody@outside.test
    Subject: hello

    Hello.
log event=message verdict=pass origin=local mail_from=ann@published.test
log event=message verdict=pass mail_from=<> rcpt_to=ann@published.test
delivered  -> ann@published.test
sendmail -f ann@allow.test nobody@outside.test
    From: ann@allow.test
    To: nobody@outside.test
    Subject: hello

    Hello.
log event=message verdict=pass origin=local mail_from=ann@allow.test
log event=message verdict=pass mail_from=<> rcpt_to=ann@allow.test
delivered  -> ann@allow.test
sendmail -f ann@careful.test nobody@outside.test
    From: ann@careful.test
    To: nobody@outside.test
    Subject: hello

    Hello.
log event=message verdict=pass origin=local mail_from=ann@careful.test
log event=message verdict=pass mail_from=<> rcpt_to=ann@careful.test
delivered  -> ann@careful.test

# Her second address is elsewhere, and what she wrote with it comes back there.
sendmail -f ann@softfail.example nobody@outside.test
    From: ann@softfail.example
    To: nobody@outside.test
    Subject: hello

    Hello.
log event=message verdict=pass origin=local mail_from=ann@softfail.example
log event=message verdict=pass mail_from=<> rcpt_to=ann@softfail.example
delivered  -> ann@softfail.example
