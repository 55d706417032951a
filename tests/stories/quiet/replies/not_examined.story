# A forwarder that we trust: SPF would judge the wrong host, so it is not asked, and `unknown` decides.
client ADDR=192.0.2.50 NAME=forwarder.example
> EHLO forwarder.example
< 250 *
mail alice@fail.example -> away@strict.test
message
    From: alice@fail.example
    To: away@strict.test
    Message-ID: <strict@fail.example>
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=away@strict.test
log event=message verdict=pass check=auto_responders reason=auto-reply-wanted mail_from=<> rcpt_to=alice@fail.example
delivered  -> alice@fail.example
mail alice@fail.example -> away@careful.test
message
    From: alice@fail.example
    To: away@careful.test
    Message-ID: <careful@fail.example>
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=away@careful.test
log event=message verdict=discard check=auto_responders reason=auto-reply-unwanted mail_from=<> rcpt_to=alice@fail.example
