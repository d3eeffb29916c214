-- The step from version 5 to 6: an endpoint is found by its MAC, which no other one of its network may have; and ranges of host ports
-- ('range': how many ports the ranges have beside their first ones, which are counted as 'Port').

ALTER TABLE endpoints ADD COLUMN mac TEXT;
UPDATE endpoints SET mac = json_extract(record, '$.mac');
CREATE INDEX endpoints_mac ON endpoints (mac, network) WHERE mac IS NOT NULL;

CREATE TRIGGER objects_range_insert AFTER INSERT ON objects WHEN new.kind = 'Port' BEGIN
  INSERT INTO held SELECT new.network, 'range', more
    FROM (SELECT json_extract(new.record, '$.thing.Port.more') AS more) WHERE more > 0
    ON CONFLICT (network, kind) DO UPDATE SET count = count + excluded.count;
END;
CREATE TRIGGER objects_range_delete AFTER DELETE ON objects WHEN old.kind = 'Port' BEGIN
  UPDATE held SET count = count - coalesce(json_extract(old.record, '$.thing.Port.more'), 0)
    WHERE network = old.network AND kind = 'range';
  DELETE FROM held WHERE network = old.network AND count <= 0;
END;
