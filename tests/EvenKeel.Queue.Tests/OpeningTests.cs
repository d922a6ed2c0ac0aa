using System.Diagnostics;
using Xunit;

namespace EvenKeel.Queue.Tests;

public sealed class OpeningTests : IDisposable
{
    private readonly TestQueue _test = new();

    [Fact]
    public void A_second_instance_in_this_process_is_refused_and_the_first_goes_on()
    {
        using var queue = _test.Open();
        var refused = Assert.Throws<QueueOpenException>(_test.Open);
        Assert.Equal(QueueOpenFailure.InUse, refused.Failure);
        Assert.Contains(_test.Folder, refused.Message, StringComparison.Ordinal);
        Assert.Null(queue.Fault);
    }

    [Fact]
    public async Task A_lock_held_by_another_process_refuses_the_queue_until_that_process_is_gone()
    {
        await _test.Fill(3);
        using (var holder = StartLocking())
        {
            Assert.Equal("held", await holder.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            Assert.Equal(QueueOpenFailure.InUse, Assert.Throws<QueueOpenException>(_test.Open).Failure);
            holder.StandardInput.Close();
            await holder.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        using var queue = _test.Open();
        Assert.Equal(3, queue.Durable);
    }

    [Fact]
    public async Task Another_process_cannot_take_the_lock_of_an_open_queue()
    {
        using var queue = _test.Open();
        using var other = StartLocking();
        await other.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, other.ExitCode);
    }

    [Fact]
    public async Task A_segment_of_a_later_format_refuses_the_queue_and_nothing_is_changed()
    {
        await _test.Fill(3);
        var header = File.ReadAllBytes(_test.Segments[0])[..SegmentFormat.HeaderCopyBytes];
        header[8] = 2;
        BitConverter.TryWriteBytes(header.AsSpan(60), Crc32C.Append(Crc32C.Seed, header.AsSpan(0, 60)));
        TestQueue.Overwrite(_test.Segments[0], 0, header);
        var before = _test.Snapshot();
        var refused = Assert.Throws<QueueOpenException>(_test.Open);
        Assert.Equal(QueueOpenFailure.NewerFormat, refused.Failure);
        Assert.Contains("version 2", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, _test.Snapshot());
    }

    [Fact]
    public async Task A_reader_position_of_a_later_format_refuses_the_queue()
    {
        await _test.Fill(3, queue => queue.OpenReader("store").Dispose());
        var file = Path.Combine(_test.Folder, "store.reader");
        var slot = File.ReadAllBytes(file)[4096..4152];
        slot[8] = 9;
        BitConverter.TryWriteBytes(slot.AsSpan(48), Crc32C.Append(Crc32C.Seed, slot.AsSpan(0, 48)));
        TestQueue.Overwrite(file, 4096, slot);
        var refused = Assert.Throws<QueueOpenException>(_test.Open);
        Assert.Equal(QueueOpenFailure.NewerFormat, refused.Failure);
        Assert.Contains("'store.reader'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_in_place_of_the_folder_cannot_be_used_and_the_message_says_which()
    {
        File.WriteAllText(_test.Folder, "not a folder");
        var refused = Assert.Throws<QueueOpenException>(_test.Open);
        Assert.Equal(QueueOpenFailure.Unusable, refused.Failure);
        Assert.Contains(_test.Folder, refused.Message, StringComparison.Ordinal);
        Assert.Equal("not a folder", File.ReadAllText(_test.Folder));
    }

    [Fact]
    public async Task Segments_without_any_readable_header_are_refused_and_left_alone()
    {
        await _test.Fill(3);
        TestQueue.Overwrite(_test.Segments[0], 0, new byte[SegmentFormat.HeaderBytes]);
        var before = _test.Snapshot();
        var refused = Assert.Throws<QueueOpenException>(_test.Open);
        Assert.Equal(QueueOpenFailure.Unusable, refused.Failure);
        Assert.Equal(before, _test.Snapshot());
    }

    [Fact]
    public async Task Files_that_are_not_the_queues_are_left_alone()
    {
        await _test.Fill(3);
        File.WriteAllText(Path.Combine(_test.Folder, "notes.txt"), "mine");
        File.WriteAllText(Path.Combine(_test.Folder, "1.segment"), "mine too");
        using (var queue = _test.Open())
            Assert.Equal(3, TestQueue.ReadAll(queue).Texts.Count);
        Assert.Equal("mine", File.ReadAllText(Path.Combine(_test.Folder, "notes.txt")));
        Assert.Equal("mine too", File.ReadAllText(Path.Combine(_test.Folder, "1.segment")));
    }

    [Fact]
    public async Task A_folder_that_does_not_exist_is_made_with_its_parents()
    {
        _test.Options = _test.Options with { Directory = Path.Combine(_test.Root, "a", "b", "queue") };
        await _test.Fill(1);
        using var queue = _test.Open();
        Assert.Equal(1, queue.Durable);
    }

    public void Dispose() => _test.Dispose();

    /// <summary>A process that takes the queue's lock as another instance would, says so, and holds it until its input ends; exit 1
    /// when it cannot.</summary>
    private Process StartLocking()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/flock"))
            Assert.Skip("A second process needs /usr/bin/flock (package util-linux), which takes the queue's kind of lock on Linux only.");
        var file = Path.Combine(_test.Folder, "queue.lock");
        var start = new ProcessStartInfo("/usr/bin/flock", ["-n", "-x", file, "sh", "-c", "echo held; cat"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        return Process.Start(start)!;
    }
}
