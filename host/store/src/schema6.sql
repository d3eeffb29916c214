-- The step from version 5 to 6: ranges of host ports. 'range': how many ports the ranges have beside their first ones, which are counted as 'Port'.

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
