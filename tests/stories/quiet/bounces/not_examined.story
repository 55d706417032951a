# A forwarder that we trust: SPF would judge the wrong host, so it is not asked, and `unknown` decides.
client ADDR=192.0.2.50 NAME=forwarder.example
> EHLO forwarder.example
< 250 *
mail alice@fail.example -> nobody@strict.test
message
    From: alice@fail.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=nobody@strict.test
log event=message verdict=pass check=bounces mail_from=<> rcpt_to=alice@fail.example
delivered  -> alice@fail.example
mail alice@fail.example -> nobody@careful.test
message
    From: alice@fail.example
    Subject: hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass rcpt_to=nobody@careful.test
log event=message verdict=discard check=bounces mail_from=<> rcpt_to=alice@fail.example
