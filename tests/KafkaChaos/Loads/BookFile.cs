using System.IO.MemoryMappedFiles;

namespace KafkaChaos.Loads;

/// <summary>
/// A book in a file that outlives the process that writes it: what was written into the mapped memory before a SIGKILL is there after it.
/// For each key the count of records begun, and a byte of fate for each record.
/// </summary>
internal sealed class BookFile : IDisposable
{
    private const int CountBytes = sizeof(int);
    private readonly int _keys;
    private readonly int _capacity;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    public BookFile(string path, int keys, int recordsOfAKey)
    {
        (_keys, _capacity) = (keys, recordsOfAKey);
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.OpenOrCreate, null, (long)keys * (CountBytes + recordsOfAKey));
        _view = _file.CreateViewAccessor();
    }

    /// <summary>Records of which a sender was told that they are safe, so far.</summary>
    public long Acknowledged =>
        Enumerable.Range(0, _keys).Sum(
            key => Enumerable.Range(0, Count(key)).LongCount(number => At(key, number) is Fate.Delivered or Fate.Spilled));

    public void Begin(int key, int number)
    {
        if (number >= _capacity)
            throw new InvalidOperationException($"key-{key} has {_capacity} records, as many as the book can take: fewer rounds, or a lower rate.");
        _view.Write(CountAt(key), number + 1);
    }

    public void End(int key, int number, Fate fate) => _view.Write(CountAt(key) + CountBytes + number, (byte)fate);

    public int Count(int key) => _view.ReadInt32(CountAt(key));

    /// <summary>Reads the book of all processes, without the places of the records.</summary>
    public RecordBook Read()
    {
        var book = new RecordBook(_keys);
        for (var key = 0; key < _keys; key++)
        {
            for (var number = 0; number < Count(key); number++)
                book[key].Write(book[key].Add(), new BookLine(At(key, number), -1, -1, 0));
        }
        return book;
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private Fate At(int key, int number) => (Fate)_view.ReadByte(CountAt(key) + CountBytes + number);

    private long CountAt(int key) => (long)key * (CountBytes + _capacity);
}
