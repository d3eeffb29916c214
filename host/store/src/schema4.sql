-- The step from version 3 to 4: what SQL looks for is in columns and not in the JSON, whose each network, endpoint and pool is, and since when
-- an address is taken.

-- by_engine was true for dockerd's only. Which dockerd that was, nobody noted.
UPDATE networks SET record = json_set(json_remove(record, '$.by_engine'), '$.origin',
  json_object('engine', CASE WHEN json_extract(record, '$.by_engine') THEN 'docker' ELSE 'native' END));
UPDATE taken_pools SET record = json_set(record, '$.origin', json_object('engine', 'docker'));

-- An endpoint that is attached has joined: of one that the operator attached the record said so only by that.
UPDATE endpoints SET record = json_set(record,
  '$.origin', json(coalesce((SELECT json_extract(n.record, '$.origin') FROM networks n WHERE n.id = endpoints.network), '{"engine":"native"}')),
  '$.joined', coalesce(json_extract(record, '$.joined'), json_extract(record, '$.sandbox.path')));
ALTER TABLE endpoints ADD COLUMN attached INTEGER NOT NULL DEFAULT 1;
UPDATE endpoints SET attached = json_extract(record, '$.attached');

ALTER TABLE objects ADD COLUMN kind TEXT NOT NULL DEFAULT '';
UPDATE objects SET kind = (SELECT key FROM json_each(record, '$.thing'));
CREATE INDEX objects_forwards ON objects (kind) WHERE kind = 'Forward';

DROP TRIGGER objects_insert;
DROP TRIGGER objects_delete;
CREATE TRIGGER objects_insert AFTER INSERT ON objects BEGIN
  INSERT INTO held VALUES (new.network, new.kind, 1) ON CONFLICT (network, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER objects_delete AFTER DELETE ON objects BEGIN
  UPDATE held SET count = count - 1 WHERE network = old.network AND kind = old.kind;
  DELETE FROM held WHERE network = old.network AND count <= 0;
END;

-- Of an engine's addresses the owner was "gateway TIME NUMBER" or "endpoint TIME NUMBER": a gateway's goes with its pool. Of an endpoint's
-- nobody noted when it was taken.
ALTER TABLE leases ADD COLUMN gateway INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;
UPDATE leases SET gateway = owner LIKE 'gateway %', taken = CAST(substr(owner, instr(owner, ' ') + 1) AS INTEGER)
  WHERE network IN (SELECT id FROM taken_pools);
