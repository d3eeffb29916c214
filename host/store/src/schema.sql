-- The layout, version 1; what came later is in the steps from one version to the next. A record is JSON text beside the columns that it is found by.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One number for all state and table entries: every commit that writes some takes the next.
CREATE TABLE counter (version INTEGER NOT NULL);
INSERT INTO counter VALUES (0);

CREATE TABLE drivers (name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;

-- AUTOINCREMENT: a serial names kernel objects and is never used again.
CREATE TABLE networks (
  serial INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  driver TEXT NOT NULL,
  record TEXT NOT NULL
);
CREATE INDEX networks_driver ON networks (driver);

CREATE TABLE endpoints (
  number INTEGER PRIMARY KEY,
  network TEXT NOT NULL,
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  sandbox TEXT,
  inode INTEGER,
  record TEXT NOT NULL,
  UNIQUE (id, network),
  UNIQUE (name, network)
);
CREATE INDEX endpoints_network ON endpoints (network);
CREATE INDEX endpoints_sandbox ON endpoints (sandbox);
CREATE INDEX endpoints_inode ON endpoints (inode);

-- AUTOINCREMENT: a driver holds the id of a rule. inode: 0 is the host's namespace; link: the ifindex.
CREATE TABLE objects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  network TEXT NOT NULL,
  endpoint TEXT,
  inode INTEGER,
  link INTEGER,
  link_name TEXT,
  record TEXT NOT NULL
);
CREATE INDEX objects_owner ON objects (network, endpoint);
CREATE INDEX objects_link ON objects (inode, link) WHERE link IS NOT NULL;
CREATE INDEX objects_link_name ON objects (link_name, inode, network) WHERE link_name IS NOT NULL;

CREATE TABLE state (
  number INTEGER PRIMARY KEY,
  driver TEXT NOT NULL,
  key TEXT NOT NULL,
  network TEXT NOT NULL,
  version INTEGER NOT NULL,
  value BLOB NOT NULL,
  UNIQUE (driver, key)
);
CREATE INDEX state_network ON state (network);

-- What a driver's state takes, so that a quota costs the same with ten keys and with ten thousand.
CREATE TABLE usage (driver TEXT PRIMARY KEY, keys INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER state_insert AFTER INSERT ON state BEGIN
  INSERT INTO usage VALUES (new.driver, 1, length(new.key) + length(new.value))
    ON CONFLICT (driver) DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER state_update AFTER UPDATE ON state BEGIN
  UPDATE usage SET bytes = bytes + length(new.value) - length(old.value) WHERE driver = new.driver;
END;
CREATE TRIGGER state_delete AFTER DELETE ON state BEGIN
  UPDATE usage SET keys = keys - 1, bytes = bytes - length(old.key) - length(old.value) WHERE driver = old.driver;
END;

-- value NULL: a tombstone. delivered: what the watching driver was told last, NULL: nothing, or that it is gone.
CREATE TABLE entries (
  number INTEGER PRIMARY KEY,
  network TEXT NOT NULL,
  tab TEXT NOT NULL,
  key TEXT NOT NULL,
  owner TEXT NOT NULL,
  endpoint TEXT,
  version INTEGER NOT NULL,
  value BLOB,
  delivered BLOB,
  UNIQUE (network, tab, key)
);
CREATE INDEX entries_endpoint ON entries (network, endpoint) WHERE endpoint IS NOT NULL;
-- Of the driver's own entries it is told nothing, so to a watch they are not there.
CREATE INDEX entries_undelivered ON entries (network, tab, key)
  WHERE CASE owner WHEN 'self' THEN NULL ELSE value END IS NOT delivered;

CREATE TABLE watches (
  network TEXT NOT NULL,
  tab TEXT NOT NULL,
  object_type INTEGER NOT NULL,
  PRIMARY KEY (network, tab)
) WITHOUT ROWID;

-- Addresses are blobs of 4 or 16 bytes, family 4 or 6, so that their order is the numbers'.
-- Pools never overlap: the one that starts last before the end of a subnet is the only one that can reach into it.
CREATE TABLE pools (
  family INTEGER NOT NULL,
  first BLOB NOT NULL,
  last BLOB NOT NULL,
  network TEXT NOT NULL,
  subnet TEXT NOT NULL,
  PRIMARY KEY (family, first)
) WITHOUT ROWID;
CREATE INDEX pools_network ON pools (network);

-- Those that a container engine took: to the two tables around this one they are networks.
CREATE TABLE taken_pools (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE leases (
  network TEXT NOT NULL,
  family INTEGER NOT NULL,
  address BLOB NOT NULL,
  owner TEXT NOT NULL,
  PRIMARY KEY (network, family, address)
) WITHOUT ROWID;
CREATE INDEX leases_owner ON leases (network, owner);

-- The address that was handed out last, by pool.
CREATE TABLE cursors (
  network TEXT NOT NULL,
  family INTEGER NOT NULL,
  pool BLOB NOT NULL,
  address BLOB NOT NULL,
  PRIMARY KEY (network, family, pool)
) WITHOUT ROWID;
