-- A second factor for users who sign in by password, and who a user is at an identity provider.
--
-- `secret` is sealed with a key that is not in the database. `last_step` is the time step of the last code that let somebody in: no code
-- of it or of an earlier one does so again, in whichever process.
CREATE TABLE chartwire_console.second_factor (
    name text PRIMARY KEY REFERENCES chartwire_console.account,
    secret bytea NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);

-- Codes for somebody whose device is gone, as digests; each is deleted as it is used.
CREATE TABLE chartwire_console.recovery_code (
    name text NOT NULL REFERENCES chartwire_console.account,
    code_hash bytea NOT NULL,
    PRIMARY KEY (name, code_hash)
);

-- Whom an identity provider's subject signs in as.
CREATE TABLE chartwire_console.identity (
    issuer text NOT NULL,
    subject text NOT NULL,
    name text NOT NULL REFERENCES chartwire_console.account,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_of_account ON chartwire_console.identity (name);

-- Sign-ins that went to the provider and have not come back yet; `kept` is what the answer is held against.
CREATE TABLE chartwire_console.sign_in_request (
    state_hash bytea PRIMARY KEY,
    kept text NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX sign_in_request_by_end ON chartwire_console.sign_in_request (ends_at);

-- How a session began: 'local' (password or link) or 'provider', which asks for its own second factor.
ALTER TABLE chartwire_console.session ADD COLUMN how text NOT NULL DEFAULT 'local';

GRANT SELECT, INSERT, UPDATE, DELETE ON
    chartwire_console.second_factor, chartwire_console.recovery_code, chartwire_console.identity, chartwire_console.sign_in_request
TO chartwire_console;
