"""What everything else stands on: records, shapes, errors, durable files, plug-ins."""
