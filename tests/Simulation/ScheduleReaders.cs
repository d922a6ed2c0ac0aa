using EvenKeel.Queue;

namespace Simulation;

/// <summary>What the readers of a schedule do, and what their positions may be after a crash.</summary>
internal sealed partial class Schedule
{
    private static readonly string[] Names = ["a", "b", "c"];

    private readonly Dictionary<string, ReaderModel> _readers = [];
    private readonly Dictionary<string, QueueReader> _openReaders = [];
    private readonly Dictionary<string, long> _interrupted = [];
    private long _head;

    private void OpenReader()
    {
        var name = Names[_random.Next(Names.Length)];
        if (_openReaders.ContainsKey(name))
            return;
        Trace($"open reader {name}");
        var isNew = !_readers.TryGetValue(name, out var model);
        if (isNew)
            _readers[name] = model = new ReaderModel { Acknowledged = _queue!.Head, Attempted = _queue.Head, IsUncertain = true };
        try
        {
            var reader = _queue!.OpenReader(name);
            _openReaders[name] = reader;
            var attempted = Math.Max(model!.Attempted, reader.Position); // A refused acknowledgement may still turn up after the next opening.
            model.Accept(reader.Position, name);
            model.Attempted = attempted;
        }
        catch (QueueOpenException failed)
        {
            Trace($"  {failed.Message}");
        }
        catch (QueueRefusedException failed)
        {
            Trace($"  {failed.Message}");
        }
    }

    private void CloseReader()
    {
        if (RandomOpenReader() is not { } name)
            return;
        Trace($"close reader {name}");
        _openReaders.Remove(name, out var reader);
        _interrupted.Remove(name);
        reader!.Dispose();
    }

    private void RemoveReader()
    {
        var name = Names[_random.Next(Names.Length)];
        if (!_readers.TryGetValue(name, out var model))
            return;
        Trace($"remove reader {name}");
        _interrupted.Remove(name);
        if (_openReaders.Remove(name, out var reader))
            reader.Dispose();
        model.IsUncertain = true;
        try
        {
            _queue!.RemoveReader(name);
            _readers.Remove(name);
            _head = _queue.Head;
        }
        catch (QueueRefusedException refused)
        {
            Trace($"  {refused.Message}");
        }
    }

    private void Read()
    {
        if (RandomOpenReader() is not { } name)
            return;
        var reader = _openReaders[name];
        var from = _interrupted.Remove(name, out var began) ? began : reader.Position;
        Trace($"read {name} from {from}");
        try
        {
            if (reader.TryRead(_random.Next(1, 9), _random.Next(1, 3000)) is { } batch)
                _model.CheckBatch(batch, from, Math.Min(_queue!.Head, _readers[name].Attempted));
            else
                LogModel.Require(from >= _model.Durable, $"reader {name} at {from} sees nothing, though {_model.Durable} is durable");
        }
        catch (IOException) when (_disk.ReadFailureOdds > 0)
        {
            Trace("  read failed");
            _interrupted[name] = from; // What it met before the failure comes with the next batch.
        }
    }

    private void Acknowledge()
    {
        if (RandomOpenReader() is not { } name)
            return;
        var (reader, model) = (_openReaders[name], _readers[name]);
        if (_interrupted.ContainsKey(name))
            return;
        var sequence = _random.Next(3) > 0 ? reader.Position : Math.Max(0, reader.Position - _random.Next(5));
        Trace($"acknowledge {name} below {sequence}");
        model.Attempted = Math.Max(model.Attempted, sequence);
        try
        {
            reader.Acknowledge(sequence);
            model.Acknowledged = Math.Max(model.Acknowledged, sequence);
        }
        catch (QueueRefusedException refused)
        {
            Trace($"  {refused.Message}");
        }
    }

    private void Seek()
    {
        if (RandomOpenReader() is not { } name)
            return;
        var to = _random.NextInt64(_queue!.Head, _queue.Durable + 1);
        Trace($"seek {name} to {to}");
        _interrupted.Remove(name);
        _openReaders[name].Seek(to);
    }

    private void CheckHead(DurableQueue queue)
    {
        var held = _readers.Values.Where(r => !r.IsUncertain).Select(r => r.Attempted).ToList();
        if (held.Count > 0)
            LogModel.Require(queue.Head <= held.Min(), $"Head is {queue.Head}, but a reader has acknowledged {held.Min()} at most");
        else if (_readers.Count == 0)
            LogModel.Require(queue.Head == _head, $"Head went from {_head} to {queue.Head} without any reader");
        _head = queue.Head;
    }

    /// <summary>After opening: every reader that was there still is, not before what it acknowledged and not beyond what it tried
    /// to.</summary>
    private void ReopenReaders(DurableQueue queue)
    {
        foreach (var damaged in queue.Recovery.DamagedCheckpoints)
            LogModel.Require(_readers.TryGetValue(damaged, out var model) && model.IsUncertain,
                $"the position of reader {damaged} is unreadable");
        foreach (var (name, model) in _readers)
        {
            if (model.IsUncertain)
                continue;
            var reader = queue.OpenReader(name);
            _openReaders[name] = reader;
            LogModel.Require(reader.Position >= queue.Head, $"reader {name} is at {reader.Position}, before Head {queue.Head}");
            model.Accept(reader.Position, name);
        }
        _head = queue.Head;
    }

    private void OpenCalmly()
    {
        _queue = DurableQueue.Open(_options, _disk, TimeProvider.System, ownThread: false);
        CheckHead(_queue);
        _model.Adopt(_queue);
        ReopenReaders(_queue);
    }

    private void ReadUp(string name)
    {
        if (!_openReaders.TryGetValue(name, out var reader))
        {
            reader = _openReaders[name] = _queue!.OpenReader(name);
            _readers[name].Accept(reader.Position, name);
        }
        for (var from = reader.Position; reader.TryRead(100, 1 << 16) is { } batch; from = reader.Position)
            _model.CheckBatch(batch, from, 0);
        LogModel.Require(reader.Position == _model.Durable, $"reader {name} ends at {reader.Position}, the log at {_model.Durable}");
        reader.Acknowledge(reader.Position);
        _readers[name].Acknowledged = _readers[name].Attempted = reader.Position;
    }

    private string? RandomOpenReader() => _openReaders.Count == 0 ? null : _openReaders.Keys.ElementAt(_random.Next(_openReaders.Count));

    /// <summary>What is known of a reader's durable position.</summary>
    private sealed class ReaderModel
    {
        public long Acknowledged { get; set; }

        public long Attempted { get; set; }

        /// <summary>It was being made or removed when the call failed: it may be there, with its old position, or start anew.</summary>
        public bool IsUncertain { get; set; }

        public void Accept(long position, string name)
        {
            if (!IsUncertain)
                LogModel.Require(position >= Acknowledged && position <= Attempted,
                    $"reader {name} is at {position}; it acknowledged {Acknowledged} and tried {Attempted}");
            (Acknowledged, Attempted, IsUncertain) = (position, position, false);
        }
    }
}
