# A stranger who claims to be one of us in MAIL FROM.
client ADDR=192.0.2.66 NAME=dialup.forger.example
> EHLO dialup.forger.example
< 250 *
> MAIL FROM:<ceo@example.org>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 530 5.7.0 *Authentication required to send as example.org (ref {envelope})
log event=recipient verdict=reject check=require_auth reason=auth-required-mail-from client=192.0.2.66 origin=foreign mail_from=ceo@example.org rcpt_to=info@example.org ref={envelope}
> RSET
< 250 2.0.0 *

# A stranger who claims it only in the header, from a domain of his own.
mail forger@forger.example -> info@example.org
message
    From: The Chief <ceo@example.org>
    Subject: urgent

    Pay.
< 530 5.7.0 *Authentication required to send as example.org (ref {header})
log event=message verdict=reject check=require_auth reason=auth-required-header-from header_from=*ceo@example.org* ref={header}

# Nor in Sender, which readers show beside From.
mail forger@forger.example -> info@example.org
message
    From: The Forger <forger@forger.example>
    Sender: The Chief <ceo@example.org>
    Subject: urgent

    Pay.
< 530 5.7.0 *Authentication required to send as example.org (ref {shown})
log event=message verdict=reject check=require_auth reason=auth-required-header-from ref={shown}

# Nor does List-Id help where nothing vouches for the list.
mail forger@forger.example -> info@example.org
message
    List-Id: <board.forger.example>
    From: The Chief <ceo@example.org>
    Subject: urgent

    Pay.
< 530 5.7.0 *Authentication required to send as example.org (ref {list})
log event=message verdict=reject check=require_auth reason=auth-required-header-from ref={list}

# Whether SPF passes cannot be told: neither a refusal nor a pass.
> MAIL FROM:<ceo@trouble.example>
< 250 2.1.0 *
> RCPT TO:<info@example.org>
< 451 4.7.24 * (ref {trouble})
log event=recipient verdict=defer check=require_auth reason=auth-spf-temperror mail_from=ceo@trouble.example ref={trouble}
> RSET
< 250 2.0.0 *

# A host that sends newsletters for us: our own SPF record names it.
client ADDR=192.0.2.10 NAME=news.sender.example
> EHLO news.sender.example
< 250 *
mail news@example.org -> info@example.org
message
    From: News <news@example.org>
    Subject: newsletter
    Date: Tue, 24 Nov 2026 12:00:00 +0000
    Message-ID: <news@sender.example>

    News.
< 250 2.0.0 *
log event=message verdict=pass origin=foreign spf=*pass* mail_from=news@example.org
delivered news@example.org -> info@example.org
    Authentication-Results: mx.local.test; *spf=pass smtp.mailfrom=example.org; *
    Received: *
    From: News <news@example.org>
    Subject: newsletter
    Date: Tue, 24 Nov 2026 12:00:00 +0000
    Message-ID: <news@sender.example>

    News.

# What alice wrote to a list that may bring it back, and for which its own SPF record vouches.
client ADDR=192.0.2.20 NAME=lists.example
> EHLO lists.example
< 250 *
mail talk-bounces@lists.example -> info@example.org
message
    List-Id: Talk <talk.lists.example>
    From: Alice <alice@example.org>
    Subject: [talk] hello

    Hello.
< 250 2.0.0 *
log event=message verdict=pass spf=*pass* header_from=*alice@example.org*
delivered talk-bounces@lists.example -> info@example.org
